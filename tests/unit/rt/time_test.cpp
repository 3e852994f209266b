// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <vector>

#include "runtime_fixture.h"
#include "seed.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Time = test::RuntimeTest;

Task<Result<Duration>> sleep_and_measure(Duration wanted) {
  const Instant begin = Instant::now();
  ZOKIO_CO_CHECKED(co_await sleep(wanted));
  co_return Instant::now() - begin;
}

TEST_P(Time, SleepIsNeverEarly) {
  for (Duration wanted :
       {Duration(0), Duration(1us), Duration(300us), Duration(5ms), Duration(70ms)}) {
    auto slept = runtime_->block_on(sleep_and_measure, wanted);
    ASSERT_TRUE(slept.has_value());
    EXPECT_GE(*slept, wanted);
  }
}

TEST_P(Time, ThousandsOfSleepersAllWakeInTime) {
  ZOKIO_SEED_TRACE();
  auto latest = runtime_->block_on(
      [](uint64_t seed) -> Task<Result<Duration>> {
        std::mt19937_64 random(seed);
        std::vector<JoinHandle<Result<Duration>>> sleepers;
        std::vector<Duration> wanted;
        for (int i = 0; i < 3000; ++i) {
          wanted.push_back(std::chrono::microseconds(random() % 200'000));
          sleepers.push_back(spawn(sleep_and_measure, wanted.back()));
        }
        Duration worst{};
        for (size_t i = 0; i < sleepers.size(); ++i) {
          ZOKIO_CO_TRY(Duration slept, co_await sleepers[i]);
          if (slept < wanted[i]) co_return fail(Errc::Internal, "early");
          worst = std::max(worst, slept - wanted[i]);
        }
        co_return worst;
      },
      test::test_seed());
  ASSERT_TRUE(latest.has_value()) << latest.error().to_string();
  // Far above what is expected (a tick and a wake-up): only a lost timer takes this long.
  EXPECT_LT(*latest, 20s);
  EXPECT_EQ(runtime_->stats().scheduler.timers_pending, 0u);
}

TEST_P(Time, CancelEndsASleep) {
  auto outcome = runtime_->block_on([]() -> Task<Result<Duration>> {
    auto sleeper = spawn(sleep_and_measure, Duration(1h));
    co_await sleep(2ms);
    sleeper.cancel();
    co_return co_await sleeper;
  });
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, Errc::Cancelled);
  EXPECT_EQ(runtime_->stats().scheduler.timers_pending, 0u);
}

TEST_P(Time, TimeoutCutsWhatIsLateAndKeepsWhatIsInTime) {
  auto late = runtime_->block_on([]() -> Task<Result<Duration>> {
    co_return co_await with_timeout(sleep_and_measure(1h), 5ms);
  });
  EXPECT_EQ(late.error().code, Errc::DeadlineExceeded);
  auto in_time = runtime_->block_on([]() -> Task<Result<Duration>> {
    co_return co_await with_timeout(sleep_and_measure(1ms), 1h);
  });
  EXPECT_TRUE(in_time.has_value());
  EXPECT_EQ(runtime_->stats().scheduler.timers_pending, 0u);
}

TEST_P(Time, InnerTimeoutDoesNotCutTheOuter) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    struct Inner {
      static Task<Result<int>> run() {
        auto cut = co_await with_timeout(sleep_and_measure(1h), 2ms);
        if (cut.has_value() || cut.error().code != Errc::DeadlineExceeded)
          co_return fail(Errc::Internal, "inner");
        ZOKIO_CO_CHECKED(co_await sleep(1ms));  // the outer scope is in force again
        co_return 3;
      }
    };
    co_return co_await with_timeout(Inner::run(), 1h);
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 3);
}

TEST_P(Time, CancelPassesThroughATimeout) {
  auto outcome = runtime_->block_on([]() -> Task<Result<Duration>> {
    auto task = spawn([]() -> Task<Result<Duration>> {
      co_return co_await with_timeout(sleep_and_measure(1h), Duration(1h));
    });
    co_await sleep(2ms);
    task.cancel();
    co_return co_await task;
  });
  EXPECT_EQ(outcome.error().code, Errc::Cancelled);
}

// A timeout that strikes at about the moment the task ends: either answer, never neither.
TEST_P(Time, TimeoutRacesTheEnd) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    int ended = 0;
    for (int i = 0; i < 200; ++i) {
      const Duration length = std::chrono::microseconds(200 + i * 3);
      auto result = co_await with_timeout(sleep_and_measure(length), length);
      if (!result.has_value() && result.error().code != Errc::DeadlineExceeded)
        co_return fail(result.error());
      ++ended;
    }
    co_return ended;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 200);
}

ZOKIO_RUNTIME_MATRIX(Time);

}  // namespace
}  // namespace zokio
