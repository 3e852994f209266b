// SPDX-License-Identifier: Apache-2.0
#include "zokio/fiber.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>

#include "fiber_fixture.h"
#include "zokio/base/sanitizer.h"
#include "zokio/sync/event.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Fiber = test::FiberTest;

// ThreadSanitizer has room for about 8,000 threads and fibers.
#ifdef ZOKIO_TSAN
constexpr int kMany = 1500;
#else
constexpr int kMany = 5000;
#endif

Task<int> twice(int value) {
  co_await yield_now();
  co_return 2 * value;
}

TEST_P(Fiber, YieldsTheValueOfTheFunction) {
  auto sum = runtime_->block_on([]() -> Task<Result<int>> {
    co_return co_await fiber([](int a, int b) { return a + b; }, 40, 2);
  });
  EXPECT_EQ(*sum, 42);
  auto moved = runtime_->block_on([]() -> Task<Result<std::unique_ptr<int>>> {
    co_return co_await fiber([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(7));
  });
  EXPECT_EQ(**moved, 7);
  auto error = runtime_->block_on([]() -> Task<Result<int>> {
    co_return co_await fiber([]() -> Result<int> { return fail(Errc::NotFound, "test"); });
  });
  EXPECT_EQ(error.error().code, Errc::NotFound);
  int calls = 0;
  auto nothing = runtime_->block_on(
      [](int* count) -> Task<Result<void>> { co_return co_await fiber([count] { ++*count; }); },
      &calls);
  EXPECT_TRUE(nothing.has_value());
  EXPECT_EQ(calls, 1);
}

TEST_P(Fiber, RethrowsWhatTheFunctionThrew) {
  auto text = runtime_->block_on([]() -> Task<std::string> {
    try {
      static_cast<void>(co_await fiber([] {
        static_cast<void>(fiber_await(twice(1)));
        throw std::runtime_error("from the fiber");
      }));
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  });
  EXPECT_EQ(*text, "from the fiber");
}

TEST_P(Fiber, AwaitedExceptionIsThrownOnTheFiber) {
  auto caught = runtime_->block_on([]() -> Task<Result<bool>> {
    co_return co_await fiber([] {
      try {
        fiber_await([]() -> Task<void> {
          co_await yield_now();
          throw std::logic_error("awaited");
        }());
      } catch (const std::logic_error&) {
        return true;
      }
      return false;
    });
  });
  EXPECT_TRUE(*caught);
}

TEST_P(Fiber, AwaitsWhatACoroutineAwaits) {
  auto sum = runtime_->block_on([]() -> Task<Result<int>> {
    co_return co_await fiber([] {
      int total = 0;
      for (int i = 0; i < 100; ++i) total += fiber_await(twice(i));
      auto child = spawn(twice, 50);
      total += *fiber_await(child);                                      // an lvalue
      total += *fiber_await(spawn([]() -> Task<int> { co_return 1; }));  // a temporary
      total += *fiber_await(blocking([] { return 10; }));                // a pool thread
      EXPECT_TRUE(fiber_await(sleep(100us)).has_value());
      return total;
    });
  });
  EXPECT_EQ(*sum, 9900 + 100 + 1 + 10);
}

int nested(int depth) {
  if (depth == 0) return fiber_await(twice(1));
  // A coroutine runs on the worker's stack, and starts the next fiber from there.
  const Result<int> below = fiber_await([](int d) -> Task<Result<int>> {
    EXPECT_FALSE(in_fiber());
    co_await yield_now();
    auto inner = co_await fiber(nested, d);
    EXPECT_FALSE(in_fiber());
    co_return inner;
  }(depth - 1));
  EXPECT_TRUE(in_fiber());
  return *below + 1;
}

TEST_P(Fiber, FibersAwaitFibers) {
  auto depth =
      runtime_->block_on([]() -> Task<Result<int>> { co_return co_await fiber(nested, 50); });
  EXPECT_EQ(*depth, 52);
}

struct Ready {
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept { ADD_FAILURE() << "was ready"; }
  int await_resume() const noexcept { return 3; }
};
struct GoOn {
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
  std::unique_ptr<int> await_resume() const { return std::make_unique<int>(4); }
};

TEST_P(Fiber, ReadyAwaitablesDoNotSuspend) {
  auto sum = runtime_->block_on([]() -> Task<Result<int>> {
    co_return co_await fiber([] {
      int total = 0;
      const GoOn go_on;
      for (int i = 0; i < 1000; ++i) total += fiber_await(Ready()) + *fiber_await(go_on);
      return total;
    });
  });
  EXPECT_EQ(*sum, 7000);
}

// Goes down until `bytes` of the stack are used, awaits there, and comes back up.
[[gnu::noinline]] int descend(const char* start, std::size_t bytes) {
  volatile char here[256] = {};
  const auto used =
      static_cast<std::size_t>(start - static_cast<const char*>(__builtin_frame_address(0)));
  if (used >= bytes) return fiber_await(twice(0)) + here[0];
  return descend(start, bytes) + 1 + here[0];
}

TEST_P(Fiber, UsesItsWholeStack) {
  auto depth = [](std::size_t stack_bytes) -> Task<Result<int>> {
    co_return co_await fiber(FiberOptions(stack_bytes, "deep"), [stack_bytes] {
      return descend(static_cast<const char*>(__builtin_frame_address(0)), stack_bytes / 4 * 3);
    });
  };
  EXPECT_GT(*runtime_->block_on(depth, 64u * 1024), 10);
  EXPECT_GT(*runtime_->block_on(depth, 4u * 1024 * 1024), 1000);
}

TEST_P(Fiber, ManyWaitAtOnce) {
  auto total = runtime_->block_on([]() -> Task<int> {
    sync::Event go;
    std::atomic<int> waiting{0};
    std::vector<JoinHandle<Result<int>>> all;
    for (int i = 0; i < kMany; ++i)
      all.push_back(spawn(
          [](int n, sync::Event* gate, std::atomic<int>* count) -> Task<Result<int>> {
            co_return co_await fiber(FiberOptions(16 * 1024, "many"), [=] {
              count->fetch_add(1);
              EXPECT_TRUE(fiber_await(gate->wait()).has_value());
              EXPECT_TRUE(fiber_await(sleep(std::chrono::microseconds(n % 1000))).has_value());
              return n;
            });
          },
          i, &go, &waiting));
    while (waiting.load() < kMany) co_await yield_now();
    EXPECT_EQ(fibers::stack_snapshot().in_use, static_cast<uint64_t>(kMany));
    go.set();
    int sum = 0;
    for (auto& handle : all) {
      auto one = co_await handle;
      sum += *one;
    }
    co_return sum;
  });
  EXPECT_EQ(*total, kMany * (kMany - 1) / 2);
  EXPECT_GE(fibers::stack_snapshot().high_water, static_cast<uint64_t>(kMany));
}

TEST_P(Fiber, CancelEndsWhatItWaitsFor) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    int cut = 0;
    for (int i = 0; i < 200; ++i) {
      auto task = spawn([]() -> Task<Result<int>> {
        co_return co_await fiber([] {
          const auto slept = fiber_await(sleep(1h));
          // It goes on to its end, and what it waits for then says the same.
          const auto again = fiber_await(sleep(1h));
          const bool told = !slept && slept.error().code == Errc::Cancelled && !again &&
                            again.error().code == Errc::Cancelled;
          return told ? 1 : 0;
        });
      });
      for (int y = 0; y < i % 10; ++y) co_await yield_now();
      task.cancel();
      auto told = co_await task;
      ZOKIO_CO_TRY(int one, told);
      cut += one;
    }
    co_return cut;
  });
  EXPECT_EQ(*outcome, 200);
}

TEST_P(Fiber, DeadlinesReachIn) {
  auto outcome = runtime_->block_on([]() -> Task<Result<Errc>> {
    co_return co_await fiber([] {
      const auto slept = fiber_await(
          with_timeout([]() -> Task<Result<void>> { co_return co_await sleep(1h); }(), 1ms));
      return slept.has_value() ? Errc::Unknown : slept.error().code;
    });
  });
  EXPECT_EQ(*outcome, Errc::DeadlineExceeded);
}

TEST_P(Fiber, ShutdownRunsThemToTheirEnd) {
  std::atomic<int> ended{0};
  for (int i = 0; i < 50; ++i)
    runtime_
        ->spawn(
            [](std::atomic<int>* count) -> Task<Result<void>> {
              co_return co_await fiber([count] {
                static_cast<void>(fiber_await(sleep(1h)));
                count->fetch_add(1);
              });
            },
            &ended)
        .detach();
  ASSERT_TRUE(test::eventually([] { return fibers::stack_snapshot().in_use == 50; }));
  EXPECT_TRUE(runtime_->shutdown(30s));
  EXPECT_EQ(ended.load(), 50);
}

// A callback of C that knows nothing of all this.
extern "C" int by_awaiting(const void* a, const void* b) {
  const int x = fiber_await(twice(*static_cast<const int*>(a)));
  const int y = fiber_await(twice(*static_cast<const int*>(b)));
  return (x > y) - (x < y);
}

TEST_P(Fiber, CCallbackMayAwait) {
  auto sorted = runtime_->block_on([]() -> Task<Result<std::vector<int>>> {
    co_return co_await fiber([] {
      std::vector<int> numbers(200);
      for (std::size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = static_cast<int>(i * 7919 % numbers.size());
      std::qsort(numbers.data(), numbers.size(), sizeof(int), &by_awaiting);
      return numbers;
    });
  });
  std::vector<int> wanted(200);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(*sorted, wanted);
}

// Each fiber waits in its catch block while others throw and catch on the same thread.
TEST_P(Fiber, CaughtExceptionsStayWithTheirFiber) {
  auto right = runtime_->block_on([]() -> Task<int> {
    std::vector<JoinHandle<Result<int>>> all;
    for (int i = 0; i < 50; ++i)
      all.push_back(spawn(
          [](int n) -> Task<Result<int>> {
            co_return co_await fiber([n] {
              try {
                try {
                  throw n;
                } catch (int) {
                  for (int y = 0; y < n % 7; ++y) fiber_await(yield_now());
                  throw;
                }
              } catch (int caught) {
                fiber_await(yield_now());
                EXPECT_EQ(std::uncaught_exceptions(), 0);
                return caught == n ? 1 : 0;
              }
            });
          },
          i));
    int sum = 0;
    for (auto& handle : all) {
      auto one = co_await handle;
      sum += *one;
    }
    co_return sum;
  });
  EXPECT_EQ(*right, 50);
}

struct AwaitsWhenUnwound {
  ~AwaitsWhenUnwound() {
    EXPECT_EQ(std::uncaught_exceptions(), 1);
    fiber_await(yield_now());
    EXPECT_EQ(std::uncaught_exceptions(), 1);
  }
};

TEST_P(Fiber, UnwindingMayAwait) {
  auto right = runtime_->block_on([]() -> Task<int> {
    std::vector<JoinHandle<Result<int>>> all;
    for (int i = 0; i < 20; ++i)
      all.push_back(spawn(
          [](int n) -> Task<Result<int>> {
            EXPECT_EQ(std::uncaught_exceptions(), 0);
            co_return co_await fiber([n] {
              EXPECT_EQ(std::uncaught_exceptions(), 0);
              try {
                AwaitsWhenUnwound guard;
                throw n;
              } catch (int caught) {
                return caught == n ? 1 : 0;
              }
            });
          },
          i));
    int sum = 0;
    for (auto& handle : all) {
      auto one = co_await handle;
      sum += *one;
    }
    co_return sum;
  });
  EXPECT_EQ(*right, 20);
}

TEST_P(Fiber, NoStackIsAnErrorAndNoCall) {
  fibers::trim_stacks();
  ASSERT_TRUE(fibers::set_stack_limit(64 * 1024).has_value());
  auto errors = runtime_->block_on([]() -> Task<int> {
    auto outer = co_await fiber([] {
      const Result<void> inner = fiber_await(fiber([] { ADD_FAILURE() << "there was no stack"; }));
      EXPECT_EQ(inner.error().code, Errc::ResourceExhausted);
      EXPECT_EQ(inner.error().detail, Detail::Limit);
      return 1;
    });
    const FiberOptions huge(fibers::kMaxStackBytes + 1, "huge");
    auto refused = co_await fiber(huge, [] { ADD_FAILURE() << "too large"; });
    EXPECT_EQ(refused.error().code, Errc::InvalidArgument);
    co_return *outer;
  });
  EXPECT_EQ(*errors, 1);
  EXPECT_TRUE(fibers::set_stack_limit(0).has_value());
  auto again =
      runtime_->block_on([]() -> Task<Result<int>> { co_return co_await fiber(nested, 1); });
  EXPECT_EQ(*again, 3);
}

ZOKIO_RUNTIME_MATRIX(Fiber);

TEST(FiberDeathTest, AwaitOutsideIsAReadableError) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_FALSE(in_fiber());
  EXPECT_DEATH(fiber_await(Ready()),
               "fiber_await\\(\\) outside a fiber: a coroutine uses co_await");
}

}  // namespace
}  // namespace zokio
