// SPDX-License-Identifier: Apache-2.0
#include "zokio/stream.h"

#include <memory>
#include <stdexcept>
#include <string>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Streams = test::RuntimeTest;

Stream<int> count(int to) {
  for (int i = 0; i < to; ++i) co_yield int{i};
}
// Waits in every way there is between its elements.
Stream<int> ticks(int to) {
  for (int i = 0; i < to; ++i) {
    if (i % 3 == 0)
      static_cast<void>(co_await sleep(std::chrono::microseconds(50)));
    else if (i % 3 == 1)
      co_await yield_now();
    co_yield i;
  }
}
Stream<std::string> squares_of(Stream<int> numbers) {
  for (auto n = co_await numbers.next(); n; n = co_await numbers.next())
    co_yield std::to_string(*n * *n);
}
Task<int> sum_of(Stream<int> stream) {
  int sum = 0;
  for (auto n = co_await stream.next(); n; n = co_await stream.next()) sum += *n;
  co_return sum;
}

TEST_P(Streams, YieldsUntilItsEnd) {
  EXPECT_EQ(*runtime_->block_on([]() -> Task<int> { co_return co_await sum_of(count(10'000)); }),
            49'995'000);
  EXPECT_EQ(*runtime_->block_on([]() -> Task<int> { co_return co_await sum_of(ticks(300)); }),
            44'850);
}

TEST_P(Streams, AfterTheEndThereIsNothingForEver) {
  auto outcome = runtime_->block_on([]() -> Task<bool> {
    auto one = count(1);
    auto first = co_await one.next();
    auto second = co_await one.next();
    auto third = co_await one.next();
    co_return first.has_value() && !second.has_value() && !third.has_value();
  });
  EXPECT_TRUE(*outcome);
}

TEST_P(Streams, StackOnEachOther) {
  auto outcome = runtime_->block_on([]() -> Task<std::string> {
    auto words = squares_of(ticks(5));
    std::string all;
    for (auto word = co_await words.next(); word; word = co_await words.next()) all += *word + " ";
    co_return all;
  });
  EXPECT_EQ(*outcome, "0 1 4 9 16 ");
}

Stream<std::unique_ptr<int>> boxes() {
  auto kept = std::make_unique<int>(1);
  co_yield std::move(kept);
  co_yield std::make_unique<int>(2);
}
TEST_P(Streams, ElementsAreMovedOut) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    auto all = boxes();
    int sum = 0;
    for (auto box = co_await all.next(); box; box = co_await all.next()) sum += **box;
    co_return sum;
  });
  EXPECT_EQ(*outcome, 3);
}

Stream<int> throws_after(int n) {
  for (int i = 0; i < n; ++i) co_yield int{i};
  co_await yield_now();
  throw std::runtime_error("stream");
}
TEST_P(Streams, ExceptionsReachNextAndEndIt) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    auto stream = throws_after(2);
    int seen = 0;
    try {
      for (auto n = co_await stream.next(); n; n = co_await stream.next()) ++seen;
    } catch (const std::runtime_error&) {
      seen += 10;
    }
    auto after = co_await stream.next();
    co_return after.has_value() ? -1 : seen;
  });
  EXPECT_EQ(*outcome, 12);
}

struct Ended {
  explicit Ended(bool* e) noexcept : ended(e) {}
  Ended(Ended&& other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
  ~Ended() {
    if (ended != nullptr) *ended = true;
  }
  bool* ended;
};
Stream<int> guarded(Ended guard) {
  co_await yield_now();
  for (int i = 0;; ++i) co_yield int{i};
}
TEST_P(Streams, DroppedAtAnElementItsBodyIsLeft) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    bool ended = false;
    {
      auto endless = guarded(Ended(&ended));
      co_await endless.next();
      co_await endless.next();
      if (ended) co_return 1;
    }
    if (!ended) co_return 2;
    ended = false;
    {
      auto never_asked = guarded(Ended(&ended));
    }
    co_return ended ? 0 : 3;
  });
  EXPECT_EQ(*outcome, 0);
}

Stream<Result<int>> slow() {
  while (true) {
    auto slept = co_await sleep(1h);
    co_yield slept.has_value() ? Result<int>(1) : fail(slept.error());
    if (!slept.has_value()) co_return;
  }
}
Task<Result<int>> first_of(Stream<Result<int>>* stream) {
  auto first = co_await stream->next();
  co_return first.has_value() ? *first : fail(Errc::NotFound, "end");
}
TEST_P(Streams, CancelReachesWhatTheBodyAwaits) {
  auto task = runtime_->spawn([]() -> Task<Result<int>> {
    auto stream = slow();
    co_return co_await first_of(&stream);
  });
  task.cancel();
  EXPECT_EQ(task.wait().error().code, Errc::Cancelled);
  auto cut = runtime_->block_on([]() -> Task<Result<int>> {
    auto stream = slow();
    auto timed_out = co_await with_timeout(first_of(&stream), 1ms);
    if (timed_out.has_value()) co_return 1;
    co_return fail(timed_out.error());
  });
  EXPECT_EQ(cut.error().code, Errc::DeadlineExceeded);
}

TEST_P(Streams, GoesFromTaskToTask) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    auto stream = ticks(10);
    auto first = co_await stream.next();
    auto rest = spawn(sum_of, std::move(stream));
    auto sum = co_await rest;
    co_return *first + *sum;
  });
  EXPECT_EQ(*outcome, 45);
}

// A debugger or a dump follows Promise::link from what waits to the task.
TEST_P(Streams, AreLinksInTheChainOfAwaits) {
  struct Probe {
    int* length;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<task::Promise> h) const noexcept {
      uintptr_t link = h.promise().link.load(std::memory_order_relaxed);
      for (*length = 1; (link & task::kRoot) == 0; ++*length)
        link = std::coroutine_handle<task::Promise>::from_address(reinterpret_cast<void*>(link))
                   .promise()
                   .link.load(std::memory_order_relaxed);
      return false;
    }
    void await_resume() const noexcept {}
  };
  struct Chain {
    static Stream<int> inner() {
      int length = 0;
      co_await as_task([&length] { return Erased{&length}; });
      co_yield length;
    }
    // co_await hands over the handle of its own promise type; all begin alike.
    struct Erased {
      int* length;
      bool await_ready() const noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> h) const noexcept {
        return Probe{length}.await_suspend(
            std::coroutine_handle<task::Promise>::from_address(h.address()));
      }
      void await_resume() const noexcept {}
    };
    static Task<int> consumer() {
      auto stream = inner();
      auto length = co_await stream.next();
      co_return *length;
    }
  };
  // as_task, the stream's body, its consumer, and the two of block_on.
  EXPECT_EQ(*runtime_->block_on([]() -> Task<int> { co_return co_await Chain::consumer(); }), 5);
}

ZOKIO_RUNTIME_MATRIX(Streams);

using StreamDeathTest = test::RuntimeTest;
Stream<int> holds_a_shield() {
  Shield shield;
  co_yield 1;
}
TEST(StreamDeathTest, AScopeAcrossAYieldIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto runtime = Runtime::create();
        static_cast<void>((*runtime)->block_on([]() -> Task<int> {
          auto stream = holds_a_shield();
          auto one = co_await stream.next();
          co_return *one;
        }));
      },
      "across its co_yield");
}

}  // namespace
}  // namespace zokio
