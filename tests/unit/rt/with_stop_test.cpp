// SPDX-License-Identifier: Apache-2.0
//
// What bounds a task from outside: stop tokens, and shields against cancellation.
#include "zokio/with_stop.h"

#include <stdexcept>

#include "runtime_fixture.h"
#include "zokio/shield.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using WithStop = test::RuntimeTest;
using Shielded = test::RuntimeTest;

Task<Result<int>> slow() {
  ZOKIO_CO_CHECKED(co_await sleep(1h));
  co_return 1;
}
Task<void> slow_void() {
  static_cast<void>(co_await sleep(1h));
}
Task<int> quick(int value) {
  co_await yield_now();
  co_return value;
}
Task<int> throws() {
  co_await yield_now();
  throw std::runtime_error("inside");
}

TEST_P(WithStop, StopFromAThreadCancelsTheTask) {
  std::stop_source source;
  auto task = runtime_->spawn(
      [](std::stop_token token) -> Task<Result<int>> {
        co_return co_await with_stop(slow(), std::move(token));
      },
      source.get_token());
  source.request_stop();
  EXPECT_EQ(task.wait().error().code, Errc::Cancelled);
}

TEST_P(WithStop, VoidTaskReportsThatItWasCut) {
  std::stop_source source;
  auto task = runtime_->spawn(
      [](std::stop_token token) -> Task<Result<void>> {
        co_return co_await with_stop(slow_void(), std::move(token));
      },
      source.get_token());
  source.request_stop();
  EXPECT_EQ(task.wait().error().code, Errc::Cancelled);
}

TEST_P(WithStop, StoppedBeforehandIsSeenAtTheFirstWait) {
  std::stop_source source;
  source.request_stop();
  auto outcome = runtime_->block_on(
      [](std::stop_token token) -> Task<Result<int>> {
        co_return co_await with_stop(slow(), std::move(token));
      },
      source.get_token());
  EXPECT_EQ(outcome.error().code, Errc::Cancelled);
}

TEST_P(WithStop, ValuesAndExceptionsComeThrough) {
  std::stop_source source;
  EXPECT_EQ(*runtime_->block_on(
                [](std::stop_token token) -> Task<Result<int>> {
                  co_return co_await with_stop(quick(7), std::move(token));
                },
                source.get_token()),
            7);
  EXPECT_THROW(static_cast<void>(runtime_->block_on(
                   [](std::stop_token token) -> Task<Result<int>> {
                     co_return co_await with_stop(throws(), std::move(token));
                   },
                   source.get_token())),
               std::runtime_error);
  // The token is of no interest afterwards.
  source.request_stop();
  // One that can never be stopped.
  EXPECT_EQ(*runtime_->block_on([]() -> Task<Result<int>> {
    co_return co_await with_stop(quick(8), std::stop_token());
  }),
            8);
}

TEST_P(WithStop, TheWaitAfterItIsNotCut) {
  std::stop_source source;
  auto task = runtime_->spawn(
      [](std::stop_token token) -> Task<Result<void>> {
        auto cut = co_await with_stop(slow(), std::move(token));
        if (cut.has_value()) co_return fail(Errc::Internal, "not cut");
        co_return co_await sleep(1ms);
      },
      source.get_token());
  source.request_stop();
  EXPECT_TRUE(task.wait().has_value());
}

TEST_P(WithStop, StopRacesWithTheEnd) {
  for (int round = 0; round < 300; ++round) {
    std::stop_source source;
    auto task = runtime_->spawn(
        [](std::stop_token token) -> Task<Result<int>> {
          co_return co_await with_stop(quick(1), std::move(token));
        },
        source.get_token());
    source.request_stop();
    auto outcome = task.wait();
    ASSERT_TRUE(outcome.has_value());
  }
}

ZOKIO_RUNTIME_MATRIX(WithStop);

TEST_P(Shielded, CancelWaitsUntilItEnded) {
  std::atomic<int> steps{0};
  auto task = runtime_->spawn(
      [](std::atomic<int>* count) -> Task<Result<void>> {
        struct Undo {
          static Task<Result<void>> run(std::atomic<int>* c) {
            c->fetch_add(1);
            for (int i = 0; i < 5; ++i) {
              ZOKIO_CO_CHECKED(co_await sleep(1ms));
              c->fetch_add(1);
            }
            co_return {};
          }
        };
        auto undone = co_await shielded(Undo::run(count));
        if (!undone.has_value()) co_return fail(Errc::Internal, "the shield leaks");
        co_return co_await sleep(1h);
      },
      &steps);
  ASSERT_TRUE(test::eventually([&] { return steps.load() > 0; }));
  task.cancel();
  EXPECT_EQ(task.wait().error().code, Errc::Cancelled);
  EXPECT_EQ(steps.load(), 6);
}

TEST_P(Shielded, ATimeoutInsideStillWorks) {
  auto outcome = runtime_->block_on(
      []() -> Task<Result<int>> { co_return co_await shielded(with_timeout(slow(), 1ms)); });
  EXPECT_EQ(outcome.error().code, Errc::DeadlineExceeded);
}

TEST_P(Shielded, ChildrenInsideAreShieldedToo) {
  auto task = runtime_->spawn([]() -> Task<Result<int>> {
    struct Inside {
      static Task<Result<int>> body() {
        auto child = [](Scope& scope) -> Task<Result<int>> {
          auto handle = scope.spawn([]() -> Task<Result<int>> {
            ZOKIO_CO_CHECKED(co_await sleep(3ms));
            co_return 5;
          });
          co_return co_await handle;
        };
        co_return co_await with_scope(child);
      }
    };
    task::cancel(task::current_task());
    auto value = co_await shielded(Inside::body());
    if (!cancelled()) co_return fail(Errc::Internal, "the cancel is lost");
    co_return value;
  });
  auto outcome = task.wait();
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 5);
}

ZOKIO_RUNTIME_MATRIX(Shielded);

}  // namespace
}  // namespace zokio
