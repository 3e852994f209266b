// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/once.h"

#include <string>

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class OnceTest : public Sync {};

struct Attempts {
  sync::OnceCell<std::string> cell;
  std::atomic<int> made{0};
  int fail_first = 0;
};

Task<Result<std::string>> make(Attempts* attempts) {
  const int now = attempts->made.fetch_add(1);
  co_await yield_now();
  if (now < attempts->fail_first) co_return fail(Errc::Unavailable, "make");
  co_return std::string("made by attempt ") + std::to_string(now);
}

Task<Result<std::string*>> get(Attempts* attempts) {
  co_return co_await attempts->cell.get_or_init(make, attempts);
}

TEST_P(OnceTest, MadeOnceForAll) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    Attempts attempts;
    EXPECT_EQ(attempts.cell.get(), nullptr);
    std::vector<JoinHandle<Result<std::string*>>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(spawn(get, &attempts));
    for (auto& task : tasks) {
      auto value = co_await task;
      CO_ASSERT_OK(value);
      EXPECT_EQ(*value, attempts.cell.get());
    }
    EXPECT_EQ(attempts.made.load(), 1);
    EXPECT_EQ(*attempts.cell.get(), "made by attempt 0");
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(OnceTest, AFailureLetsTheNextTry) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    Attempts attempts;
    attempts.fail_first = 3;
    std::vector<JoinHandle<Result<std::string*>>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(spawn(get, &attempts));
    int failed = 0;
    for (auto& task : tasks) failed += (co_await task).has_value() ? 0 : 1;
    EXPECT_EQ(failed, 3);
    EXPECT_EQ(attempts.made.load(), 4);
    EXPECT_EQ(*attempts.cell.get(), "made by attempt 3");
  });
  EXPECT_TRUE(outcome.has_value());
}

Task<Result<std::string>> make_never(std::atomic<int>* started) {
  started->fetch_add(1);
  ZOKIO_CO_CHECKED(co_await sleep(std::chrono::hours(1)));
  co_return std::string();
}

TEST_P(OnceTest, ACancelledAttemptLetsTheNextTry) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    Attempts attempts;
    std::atomic<int> started{0};
    auto stuck = spawn(
        [](Attempts* a, std::atomic<int>* s) -> Task<Result<std::string*>> {
          co_return co_await a->cell.get_or_init(make_never, s);
        },
        &attempts, &started);
    co_await until(&started, 1);
    auto next = spawn(get, &attempts);
    co_await yield_now();
    stuck.cancel();
    auto cut = co_await stuck;
    EXPECT_EQ(cut.error().code, Errc::Cancelled);
    auto made = co_await next;
    CO_ASSERT_OK(made);
    EXPECT_EQ(**made, "made by attempt 0");
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(OnceTest, OnceWithoutAValue) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    sync::Once once;
    int calls = 0;
    auto count = [](int* n, bool good) -> Task<Result<void>> {
      ++*n;
      if (!good) co_return fail(Errc::Unavailable, "count");
      co_return {};
    };
    auto failed = co_await once.call(count, &calls, false);
    EXPECT_FALSE(failed.has_value());
    EXPECT_FALSE(once.done());
    auto first = co_await once.call(count, &calls, true);
    CO_ASSERT_OK(first);
    auto second = co_await once.call(count, &calls, false);
    CO_ASSERT_OK(second);
    EXPECT_TRUE(once.done());
    EXPECT_EQ(calls, 2);
  });
  EXPECT_TRUE(outcome.has_value());
}

ZOKIO_SYNC_MATRIX(OnceTest);

}  // namespace
}  // namespace zokio::test
