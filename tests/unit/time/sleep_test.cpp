// SPDX-License-Identifier: Apache-2.0
#include "zokio/time/sleep.h"

#include <random>
#include <vector>

#include "runtime_fixture.h"
#include "seed.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using SleepTest = test::RuntimeTest;

struct Tally {
  std::atomic<int> slept{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> early{0};
};

Task<void> sleeper(Tally* tally, Duration length) {
  const Instant due = Instant::now() + length;
  Result<void> slept = co_await sleep_until(due);
  if (slept.has_value() && Instant::now() < due) tally->early.fetch_add(1);
  (slept.has_value() ? tally->slept : tally->cancelled).fetch_add(1);
}

// A thread that is no worker cancels sleeps at about the moment they end.
TEST_P(SleepTest, EndsOnceWhenCancelAndDeadlineRace) {
  ZOKIO_SEED_TRACE();
  std::mt19937_64 random(test::test_seed());
  constexpr int kTasks = 4000;
  Tally tally;
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < kTasks; ++i) {
    const Duration length = i % 8 == 0 ? Duration(1h) : Duration(random() % 4'000'000);
    tasks.push_back(runtime_->spawn(sleeper, &tally, length));
    if (i >= 400) tasks[static_cast<size_t>(i) - random() % 400].cancel();
  }
  for (auto& task : tasks) task.cancel();
  ASSERT_TRUE(test::eventually([&] { return runtime_->stats().scheduler.tasks_alive == 0; }));
  EXPECT_EQ(tally.slept + tally.cancelled, kTasks);
  EXPECT_GE(tally.cancelled, kTasks / 8);
  EXPECT_EQ(tally.early, 0);
  EXPECT_EQ(runtime_->stats().scheduler.timers_pending, 0u);
}

// Tasks arm on one worker and give up on another.
TEST_P(SleepTest, TimeoutsThatAreNotNeededLeaveNothing) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    struct Inner {
      static Task<Result<int>> work(int i) {
        for (int turn = 0; turn < 3; ++turn) co_await yield_now();
        co_return i;
      }
      static Task<Result<int>> many() {
        int sum = 0;
        for (int i = 0; i < 200; ++i) {
          ZOKIO_CO_TRY(int one, co_await with_timeout(work(1), 1h));
          sum += one;
        }
        co_return sum;
      }
    };
    std::vector<JoinHandle<Result<int>>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(spawn(&Inner::many));
    int sum = 0;
    for (auto& task : tasks) {
      ZOKIO_CO_TRY(int one, co_await task);
      sum += one;
    }
    co_return sum;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 4000);
  EXPECT_EQ(runtime_->stats().scheduler.timers_pending, 0u);
}

TEST_P(SleepTest, APastDeadlineIsNoSleep) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    ZOKIO_CO_CHECKED(co_await sleep_until(Instant{0}));
    ZOKIO_CO_CHECKED(co_await sleep(Duration(-1)));
    co_return co_await sleep(Duration::zero());
  });
  EXPECT_TRUE(outcome.has_value());
}

ZOKIO_RUNTIME_MATRIX(SleepTest);

}  // namespace
}  // namespace zokio
