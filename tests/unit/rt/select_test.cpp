// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <string>

#include "runtime_fixture.h"
#include "zokio/join.h"
#include "zokio/select.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Select = test::RuntimeTest;

Task<int> after(Duration delay, int value) {
  Result<void> slept = co_await sleep(delay);
  co_return slept.has_value() ? value : -value;
}
Task<Result<std::string>> text(std::string value) {
  co_return value;
}
Task<Result<int>> fails_after(Duration delay) {
  ZOKIO_CO_CHECKED(co_await sleep(delay));
  co_return fail(Errc::DataLoss, "fails_after");
}
Task<Result<void>> waits() {
  co_return co_await sleep(1h);
}
Task<void> nothing() {
  co_return;
}
Task<int> throws() {
  throw std::runtime_error("racer");
  co_return 0;
}

TEST_P(Select, TakesTheFirstAndCancelsTheRest) {
  auto won = runtime_->block_on([]() -> Task<Result<int>> {
    auto selected = co_await select(after(1h, 1), after(1ms, 2), waits());
    if (selected.index != 1) co_return fail(Errc::Internal, "index");
    co_return std::get<1>(selected.outcome);
  });
  ASSERT_TRUE(won.has_value()) << won.error().to_string();
  EXPECT_EQ(*won, 2);
  EXPECT_EQ(runtime_->stats().scheduler.tasks_alive, 0u);
}

TEST_P(Select, ErrorAndExceptionAreOutcomesToo) {
  auto failed = runtime_->block_on([]() -> Task<Result<int>> {
    auto selected = co_await select(fails_after(1ms), waits());
    co_return std::get<0>(selected.outcome);
  });
  EXPECT_EQ(failed.error().code, Errc::DataLoss);
  auto thrown = runtime_->block_on([]() -> Task<Result<int>> {
    auto selected = co_await select(waits(), throws());
    co_return std::get<1>(selected.outcome);
  });
  EXPECT_EQ(thrown.error().detail, Detail::Panicked);
}

TEST_P(Select, CancelReachesAllRacers) {
  auto outcome = runtime_->block_on([]() -> Task<Result<size_t>> {
    auto task = spawn([]() -> Task<Result<size_t>> {
      auto selected = co_await select(waits(), waits());
      co_return selected.index;
    });
    co_await sleep(2ms);
    task.cancel();
    co_return co_await task;
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(Select, JoinYieldsEveryOutcomeInOrder) {
  auto outcome = runtime_->block_on([]() -> Task<Result<std::string>> {
    auto [number, word, none] = co_await join(after(2ms, 4), text("four"), nothing());
    if (!number.has_value() || *number != 4 || !none.has_value())
      co_return fail(Errc::Internal, "join");
    co_return word;
  });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(*outcome, "four");
}

TEST_P(Select, JoinCancelsTheOthersOnAnError) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    auto [failed, cut] = co_await join(fails_after(1ms), waits());
    if (failed.has_value() || failed.error().code != Errc::DataLoss)
      co_return fail(Errc::Internal, "the error is lost");
    co_return cut;
  });
  EXPECT_EQ(outcome.error().code, Errc::Cancelled);
}

TEST_P(Select, JoinAllKeepsOrder) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(after(std::chrono::microseconds(i % 7), i));
    std::vector<Result<int>> outcomes = co_await join_all(std::move(tasks));
    for (int i = 0; i < 100; ++i)
      if (*outcomes[static_cast<size_t>(i)] != i) co_return fail(Errc::Internal, "order");
    co_return static_cast<int>(outcomes.size());
  });
  EXPECT_EQ(*outcome, 100);
}

ZOKIO_RUNTIME_MATRIX(Select);

}  // namespace
}  // namespace zokio
