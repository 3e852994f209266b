// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <stdexcept>
#include <vector>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using ScopeTest = test::RuntimeTest;

Task<Result<int>> slow_count(std::atomic<int>& ended) {
  Result<void> slept = co_await sleep(1h);
  ended.fetch_add(1);
  if (!slept.has_value()) co_return fail(slept.error());
  co_return 1;
}
Task<Result<int>> fail_soon() {
  ZOKIO_CO_CHECKED(co_await sleep(2ms));
  co_return fail(Errc::DataLoss, "fail_soon");
}
Task<void> bump(std::atomic<int>& counter) {
  co_await yield_now();
  counter.fetch_add(1);
}

Task<Result<void>> start_bumps(Scope& scope, std::atomic<int>& counter, int count) {
  for (int i = 0; i < count; ++i) scope.spawn(bump, std::ref(counter)).detach();
  co_return {};
}

TEST_P(ScopeTest, ChildrenEndBeforeTheScope) {
  std::atomic<int> counter{0};
  auto outcome = runtime_->block_on(
      [](std::atomic<int>& c) -> Task<Result<int>> {
        ZOKIO_CO_CHECKED(co_await with_scope(start_bumps, std::ref(c), 500));
        co_return c.load();  // a child that ran later would be missing
      },
      counter);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(*outcome, 500);
}

Task<Result<void>> one_fails(Scope& scope, std::atomic<int>& ended) {
  for (int i = 0; i < 10; ++i) scope.spawn(slow_count, std::ref(ended)).detach();
  scope.spawn(fail_soon).detach();
  co_return {};
}

TEST_P(ScopeTest, FirstErrorCancelsAndAwaitsTheOthers) {
  std::atomic<int> ended{0};
  auto outcome = runtime_->block_on(
      [](std::atomic<int>& e) -> Task<Result<void>> {
        auto done = co_await with_scope(one_fails, std::ref(e));
        if (e.load() != 10) co_return fail(Errc::Internal, "a child was left");
        co_return done;
      },
      ended);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, Errc::DataLoss) << outcome.error().to_string();
}

Task<Result<void>> body_fails(Scope& scope, std::atomic<int>& ended) {
  for (int i = 0; i < 10; ++i) scope.spawn(slow_count, std::ref(ended)).detach();
  co_return fail(Errc::Aborted, "body");
}
Task<Result<void>> body_throws(Scope& scope, std::atomic<int>& ended) {
  scope.spawn(slow_count, std::ref(ended)).detach();
  throw std::runtime_error("body");
  co_return {};
}

TEST_P(ScopeTest, FailingBodyTakesItsChildrenAlong) {
  std::atomic<int> ended{0};
  auto outcome = runtime_->block_on(
      [](std::atomic<int>& e) -> Task<Result<void>> {
        co_return co_await with_scope(body_fails, std::ref(e));
      },
      ended);
  // The first child to end with Cancelled may report before the body's error is looked at.
  EXPECT_FALSE(outcome.has_value());
  EXPECT_EQ(ended.load(), 10);
  EXPECT_THROW(static_cast<void>(runtime_->block_on(
                   [](std::atomic<int>& e) -> Task<Result<void>> {
                     co_return co_await with_scope(body_throws, std::ref(e));
                   },
                   ended)),
               std::runtime_error);
  EXPECT_EQ(ended.load(), 11);
}

Task<Result<void>> wait_in_scope(Scope& scope, std::atomic<int>& ended) {
  for (int i = 0; i < 10; ++i) scope.spawn(slow_count, std::ref(ended)).detach();
  co_return co_await sleep(1h);
}

TEST_P(ScopeTest, CancelReachesBodyAndChildren) {
  std::atomic<int> ended{0};
  auto outcome = runtime_->block_on(
      [](std::atomic<int>& e) -> Task<Result<void>> {
        auto task = spawn(
            [](std::atomic<int>* inner) -> Task<Result<void>> {
              co_return co_await with_scope(wait_in_scope, std::ref(*inner));
            },
            &e);
        co_await sleep(3ms);
        task.cancel();
        co_return co_await task;
      },
      ended);
  EXPECT_EQ(outcome.error().code, Errc::Cancelled);
  EXPECT_EQ(ended.load(), 10);
}

ZOKIO_RUNTIME_MATRIX(ScopeTest);

}  // namespace
}  // namespace zokio
