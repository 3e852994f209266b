// SPDX-License-Identifier: Apache-2.0
#include "zokio/when_all.h"

#include <stdexcept>
#include <string>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using WhenAll = test::RuntimeTest;

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
  co_await yield_now();
  throw std::runtime_error("member");
}

TEST_P(WhenAll, YieldsEveryOutcomeInOrder) {
  auto outcome = runtime_->block_on([]() -> Task<Result<std::string>> {
    auto [number, word, none] = co_await when_all(after(2ms, 4), text("four"), nothing());
    if (!number.has_value() || *number != 4 || !none.has_value())
      co_return fail(Errc::Internal, "when_all");
    co_return word;
  });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(*outcome, "four");
}

TEST_P(WhenAll, FirstErrorCancelsTheOthers) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    auto [failed, cut] = co_await when_all(fails_after(1ms), waits());
    if (failed.has_value() || failed.error().code != Errc::DataLoss)
      co_return fail(Errc::Internal, "the error is lost");
    co_return cut;
  });
  EXPECT_EQ(outcome.error().code, Errc::Cancelled);
}

TEST_P(WhenAll, ExceptionCancelsTheOthers) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    auto [cut, thrown] = co_await when_all(waits(), throws());
    if (thrown.has_value() || thrown.error().detail != Detail::Panicked)
      co_return fail(Errc::Internal, "the exception is lost");
    co_return cut;
  });
  EXPECT_EQ(outcome.error().code, Errc::Cancelled);
}

TEST_P(WhenAll, VectorKeepsOrder) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(after(std::chrono::microseconds(i % 7), i));
    std::vector<Result<int>> outcomes = co_await when_all(std::move(tasks));
    for (int i = 0; i < 100; ++i)
      if (*outcomes[static_cast<size_t>(i)] != i) co_return fail(Errc::Internal, "order");
    auto none = co_await when_all(std::vector<Task<int>>());
    if (!none.empty()) co_return fail(Errc::Internal, "none");
    co_return static_cast<int>(outcomes.size());
  });
  EXPECT_EQ(*outcome, 100);
}

TEST_P(WhenAll, VectorErrorCancelsTheOthers) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    std::vector<Task<Result<int>>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(fails_after(i == 11 ? 1ms : 1h));
    int cancelled = 0;
    for (const Result<int>& member : co_await when_all(std::move(tasks)))
      cancelled += member.error().code == Errc::Cancelled ? 1 : 0;
    co_return cancelled;
  });
  EXPECT_EQ(*outcome, 19);
}

TEST_P(WhenAll, CancelReachesEveryMember) {
  auto outcome = runtime_->block_on([]() -> Task<Result<bool>> {
    auto task = spawn([]() -> Task<Result<bool>> {
      auto [a, b] = co_await when_all(waits(), waits());
      co_return a.error().code == Errc::Cancelled&& b.error().code == Errc::Cancelled;
    });
    co_await sleep(2ms);
    task.cancel();
    co_return co_await task;
  });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(*outcome);
}

// Members end at the same time on all workers, over and over.
Task<Result<int>> errs_or_not(int round, int member) {
  if (round % 3 == member) co_return fail(Errc::Aborted, "member");
  if (round % 2 == 0) co_await yield_now();
  co_return round;
}
TEST_P(WhenAll, ManyRounds) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    int failed = 0;
    for (int round = 0; round < 2000; ++round) {
      auto [a, b, c] =
          co_await when_all(errs_or_not(round, 0), errs_or_not(round, 1), errs_or_not(round, 2));
      failed += (a.has_value() ? 0 : 1) + (b.has_value() ? 0 : 1) + (c.has_value() ? 0 : 1);
    }
    co_return failed;
  });
  EXPECT_EQ(*outcome, 2000);
}

Task<uint64_t> tree(int depth) {
  if (depth == 0) co_return 1;
  auto [left, right] = co_await when_all(tree(depth - 1), tree(depth - 1));
  co_return *left + *right;
}
TEST_P(WhenAll, Nests) {
  EXPECT_EQ(*runtime_->block_on(tree, 12), 4096u);
}

ZOKIO_RUNTIME_MATRIX(WhenAll);

}  // namespace
}  // namespace zokio
