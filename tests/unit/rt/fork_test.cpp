// SPDX-License-Identifier: Apache-2.0
#include "zokio/fork.h"

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>

#include "runtime_fixture.h"
#include "zokio/diagnostics.h"
#include "zokio/group.h"
#include "zokio/sync/event.h"
#include "zokio/sync/mpsc.h"
#include "zokio/sync/mutex.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using ForkTest = test::RuntimeTest;

Task<uint64_t> fib(unsigned n) {
  if (n < 2) co_return n;
  auto [a, b] = co_await fork(fib(n - 1), fib(n - 2));
  co_return a + b;
}

// As fib(), but every so-manyth leaf suspends in some way.
Task<uint64_t> restless_fib(unsigned n, std::atomic<unsigned>* count, unsigned one_in) {
  if (n < 2) {
    const unsigned i = count->fetch_add(1);
    if (i % one_in == 0) {
      if (i / one_in % 4 == 0)
        co_await sleep(1us * (i % 300));
      else
        co_await yield_now();
    }
    co_return n;
  }
  auto [a, b] =
      co_await fork(restless_fib(n - 1, count, one_in), restless_fib(n - 2, count, one_in));
  co_return a + b;
}

Task<std::string> text(std::string value) {
  co_return value;
}
Task<void> add_to(std::atomic<int>* sum, int value) {
  sum->fetch_add(value);
  co_return;
}
Task<int> square(int value) {
  co_return value* value;
}
Task<int> slow_square(int value) {
  co_await sleep(1ms * (value % 7));
  co_return value* value;
}
Task<int> throws(std::string what) {
  throw std::runtime_error(what);
  co_return 0;
}

TEST_P(ForkTest, YieldsResultsInOrder) {
  auto done = runtime_->block_on([]() -> Task<std::string> {
    auto [one, two, three] = co_await fork(text("one"), square(2), text("three"));
    co_return one + std::to_string(two) + three;
  });
  EXPECT_EQ(done, "one4three");
}

TEST_P(ForkTest, VoidBranches) {
  std::atomic<int> sum = 0;
  auto done = runtime_->block_on(
      [](std::atomic<int>* s) -> Task<int> {
        co_await fork(add_to(s, 1), add_to(s, 2));
        auto [nothing, number] = co_await fork(add_to(s, 4), square(3));
        static_assert(std::is_same_v<decltype(nothing), std::monostate>);
        co_return number;
      },
      &sum);
  EXPECT_EQ(done, 9);
  EXPECT_EQ(sum, 7);
}

TEST_P(ForkTest, Recursion) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(runtime_->block_on(&fib, 22u), 17'711u);
}

TEST_P(ForkTest, LeavesThatWait) {
  for (const unsigned one_in : {1u, 7u, 100u}) {
    std::atomic<unsigned> count = 0;
    EXPECT_EQ(runtime_->block_on(&restless_fib, 14u, &count, one_in), 377u);
  }
}

TEST_P(ForkTest, ManyOfOneType) {
  auto done = runtime_->block_on([]() -> Task<int> {
    std::vector<Task<int>> tasks;
    // More than a deque holds.
    for (int i = 0; i < 2000; ++i) tasks.push_back(square(i));
    const std::vector<int> squares = co_await fork_all(std::move(tasks));
    for (int i = 0; i < 2000; ++i)
      if (squares[static_cast<size_t>(i)] != i * i) co_return i;
    co_return -1;
  });
  EXPECT_EQ(done, -1);
}

TEST_P(ForkTest, ManyThatWait) {
  auto done = runtime_->block_on([]() -> Task<int> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 700; ++i) tasks.push_back(slow_square(i));
    const std::vector<int> squares = co_await fork_all(std::move(tasks));
    for (int i = 0; i < 700; ++i)
      if (squares[static_cast<size_t>(i)] != i * i) co_return i;
    co_return -1;
  });
  EXPECT_EQ(done, -1);
}

TEST_P(ForkTest, NoneAndOne) {
  auto done = runtime_->block_on([]() -> Task<int> {
    Branches<int, 4> none, one;
    co_await none.join();
    one.add(square(5));
    co_await one.join();
    const auto nothing = co_await fork_all(std::vector<Task<int>>{});
    co_return one[0] + static_cast<int>(none.size() + nothing.size());
  });
  EXPECT_EQ(done, 25);
}

// Deeper than the deque is long: what does not fit runs in place, and all the same.
Task<uint64_t> comb(unsigned depth) {
  if (depth == 0) co_return 0;
  auto [below, one] = co_await fork(comb(depth - 1), text("x"));
  co_return below + one.size();
}

TEST_P(ForkTest, DeeperThanTheDeque) {
  EXPECT_EQ(runtime_->block_on(&comb, 3000u), 3000u);
}

TEST_P(ForkTest, BranchesThatWereNotAwaitedAreFreed) {
  EXPECT_EQ(runtime_->block_on([]() -> Task<int> {
    Branches<int, 4> branches;
    branches.add(square(1));
    branches.add(throws("never"));
    co_return 1;
  }),
            1);
}

TEST_P(ForkTest, TheFirstExceptionComesAfterAllEnded) {
  std::atomic<int> sum = 0;
  auto done = runtime_->block_on(
      [](std::atomic<int>* s) -> Task<std::string> {
        auto late = [](std::atomic<int>* to) -> Task<void> {
          co_await sleep(5ms);
          to->fetch_add(1);
        };
        try {
          co_await fork(add_to(s, 10), throws("first"), late(s), throws("second"));
        } catch (const std::runtime_error& error) {
          co_return error.what() + std::to_string(s->load());
        }
        co_return "nothing";
      },
      &sum);
  EXPECT_EQ(done, "first11");
}

TEST_P(ForkTest, AnExceptionInOneOfMany) {
  auto done = runtime_->block_on([]() -> Task<std::string> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 50; ++i)
      tasks.push_back(i % 20 == 9 ? throws(std::to_string(i)) : square(i));
    try {
      co_await fork_all(std::move(tasks));
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing";
  });
  EXPECT_EQ(done, "9");
}

// --- Waiting inside ------------------------------------------------------------------------------

TEST_P(ForkTest, BranchesTalkToEachOther) {
  auto done = runtime_->block_on([]() -> Task<int> {
    auto [sender, receiver] = sync::mpsc<int>(2);
    auto produce = [](sync::MpscSender<int> to) -> Task<int> {
      for (int i = 0; i < 100; ++i) {
        auto sent = co_await to.send(i);
        if (!sent.has_value()) co_return 1;
      }
      co_return 0;
    };
    auto consume = [](sync::MpscReceiver<int, true> from) -> Task<int> {
      int sum = 0;
      while (true) {
        auto value = co_await from.recv();
        if (!value.has_value()) co_return sum;
        sum += *value;
      }
    };
    auto [failed, sum] = co_await fork(produce(std::move(sender)), consume(std::move(receiver)));
    co_return failed == 0 ? sum : -1;
  });
  EXPECT_EQ(done, 4950);
}

TEST_P(ForkTest, AMutexHeldOverAWait) {
  uint64_t counter = 0;
  auto done = runtime_->block_on(
      [](uint64_t* shared) -> Task<int> {
        sync::Mutex mutex;
        auto count = [](sync::Mutex* lock, uint64_t* to) -> Task<void> {
          for (int i = 0; i < 20; ++i) {
            auto held = co_await lock->lock();
            const uint64_t before = *to;
            co_await yield_now();
            *to = before + 1;
          }
        };
        std::vector<Task<void>> tasks;
        for (int i = 0; i < 10; ++i) tasks.push_back(count(&mutex, shared));
        co_await fork_all(std::move(tasks));
        co_return 0;
      },
      &counter);
  EXPECT_EQ(done, 0);
  EXPECT_EQ(counter, 200u);
}

Task<uint64_t> spawns_within(unsigned n) {
  if (n == 0) co_return 1;
  auto child = spawn(&spawns_within, n - 1);
  auto [a, b] = co_await fork(spawns_within(n - 1), spawns_within(n - 1));
  co_return a + b + (co_await child).value_or(0);
}

TEST_P(ForkTest, MixedWithSpawns) {
  EXPECT_EQ(runtime_->block_on(&spawns_within, 7u), 2187u);
}

// --- Cancel --------------------------------------------------------------------------------------

// Ends when it is cancelled, and says how many did.
Task<int> until_cancelled(std::atomic<int>* begun) {
  begun->fetch_add(1);
  Result<void> slept = co_await sleep(1h);
  co_return !slept.has_value() && slept.error().code == Errc::Cancelled ? 1 : 0;
}
Task<Result<int>> nest_of_waiters(unsigned depth, std::atomic<int>* begun) {
  if (depth == 0) co_return co_await until_cancelled(begun);
  auto [a, b] = co_await fork(nest_of_waiters(depth - 1, begun), nest_of_waiters(depth - 1, begun));
  co_return *a + *b;
}

TEST_P(ForkTest, CancelReachesAllBranches) {
  std::atomic<int> begun = 0;
  auto task = runtime_->spawn(&nest_of_waiters, 5u, &begun);
  ASSERT_TRUE(test::eventually([&] { return begun.load() == 32; }));
  task.cancel();
  auto ended = task.wait();
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(*ended, 32);
}

TEST_P(ForkTest, ATaskThatIsCancelledForksAllTheSame) {
  std::atomic<int> begun = 0;
  auto done = runtime_->block_on(
      [](std::atomic<int>* b) -> Task<int> {
        auto inner = spawn(
            [](std::atomic<int>* count) -> Task<Result<int>> {
              static_cast<void>(co_await sleep(1h));
              co_return co_await nest_of_waiters(3, count);
            },
            b);
        co_await yield_now();
        inner.cancel();
        co_return (co_await inner).value_or(-1);
      },
      &begun);
  EXPECT_EQ(done, 8);
}

TEST_P(ForkTest, ATimeoutAroundAFork) {
  std::atomic<int> begun = 0;
  auto done = runtime_->block_on(
      [](std::atomic<int>* b) -> Task<int> {
        auto inner = [](std::atomic<int>* count) -> Task<int> {
          auto cut = co_await with_timeout(nest_of_waiters(3, count), 10ms);
          // What is outside of the timeout is not cancelled.
          co_return cut.value_or(-100) + (cancelled() ? 1000 : 0);
        };
        auto [a, c] = co_await fork(inner(b), inner(b));
        co_return a * 10 + c;
      },
      &begun);
  EXPECT_EQ(done, 88);
  EXPECT_EQ(begun, 16);
}

TEST_P(ForkTest, AShieldWithinAFork) {
  std::atomic<int> begun = 0;
  sync::Event go;
  auto task = runtime_->spawn(
      [](std::atomic<int>* b, sync::Event* event) -> Task<Result<int>> {
        auto guarded = [](std::atomic<int>* count, sync::Event* e) -> Task<Result<int>> {
          auto wait = [](std::atomic<int>* k, sync::Event* w) -> Task<int> {
            k->fetch_add(1);
            co_return (co_await w->wait()).has_value() ? 1 : 0;
          };
          Shield shield;
          auto [a, c] = co_await fork(wait(count, e), wait(count, e));
          co_return a + c;
        };
        auto [a, c] = co_await fork(guarded(b, event), guarded(b, event));
        co_return a.value_or(-100) * 10 + c.value_or(-100);
      },
      &begun, &go);
  ASSERT_TRUE(test::eventually([&] { return begun.load() == 4; }));
  task.cancel();
  go.set();
  EXPECT_EQ(task.wait(), 22);
}

constinit TaskLocal<int> local;

Task<int> sees_local() {
  co_await yield_now();
  const int* value = local.get();
  co_return value != nullptr ? *value : 0;
}
Task<int> forks_locals() {
  auto [a, b, c] = co_await fork(sees_local(), local.with(7, sees_local()), sees_local());
  co_return a * 100 + b * 10 + c;
}

TEST_P(ForkTest, TaskLocals) {
  auto done = runtime_->block_on([]() -> Task<int> {
    auto [outside, inside] = co_await fork(forks_locals(), local.with(3, forks_locals()));
    co_return outside * 1000 + inside;
  });
  EXPECT_EQ(done, 70'373);
}

// --- Around a runtime ----------------------------------------------------------------------------

TEST_P(ForkTest, ForksInAGroup) {
  auto group = Group::create(*runtime_, {.name = "forks"});
  ASSERT_TRUE(group.has_value());
  std::atomic<unsigned> count = 0;
  auto task = group->spawn(&restless_fib, 12u, &count, 5u);
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->wait(), 144u);
  auto busy = group->spawn(&fib, 18u);
  ASSERT_TRUE(busy.has_value());
  EXPECT_EQ(busy->wait(), 2584u);
  EXPECT_TRUE(test::eventually([&] { return group->stats().memory_bytes == 0; }));
  const GroupStats stats = group->stats();
  EXPECT_EQ(stats.spawned, stats.finished);
}

TEST_P(ForkTest, ResizesMeanwhile) {
  std::atomic<bool> stop = false;
  auto work = runtime_->spawn(
      [](std::atomic<bool>* over) -> Task<uint64_t> {
        uint64_t wrong = 0;
        std::atomic<unsigned> count = 0;
        while (!over->load()) {
          auto [a, b] = co_await fork(fib(18), restless_fib(10, &count, 9));
          if (a != 2584 || b != 55) ++wrong;
        }
        co_return wrong;
      },
      &stop);
  for (const unsigned workers : {1u, 4u, 2u, 8u, 1u, 3u}) {
    auto report = runtime_->resize_workers_blocking(workers);
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    EXPECT_EQ(report->reached, workers);
  }
  stop.store(true);
  EXPECT_EQ(work.wait(), 0u);
}

// A computation that never waits lets timers and other tasks in.
TEST_P(ForkTest, OthersAreNotStarved) {
  std::atomic<bool> stop = false;
  auto work = runtime_->spawn(
      [](std::atomic<bool>* over) -> Task<void> {
        auto forever = [](auto& self, std::atomic<bool>* o, unsigned depth) -> Task<void> {
          while (depth == 0 && !o->load()) co_await fork(self(self, o, 8), self(self, o, 8));
          if (depth > 1) co_await fork(self(self, o, depth - 1), self(self, o, depth - 1));
        };
        co_await forever(forever, over, 0);
      },
      &stop);
  EXPECT_EQ(runtime_->block_on([]() -> Task<int> {
    for (int i = 0; i < 20; ++i) {
      auto slept = co_await sleep(1ms);
      if (!slept.has_value()) co_return i;
    }
    co_return -1;
  }),
            -1);
  stop.store(true);
  EXPECT_TRUE(work.wait().has_value());
}

// Two branches that wait for each other without giving their worker back: with a second worker, the
// second branch is stolen.
TEST_P(ForkTest, AnotherWorkerTakesABranch) {
  if (GetParam().workers < 2) GTEST_SKIP() << "one worker";
  std::atomic<int> there = 0;
  auto meet = [](std::atomic<int>* count) -> Task<int> {
    count->fetch_add(1);
    while (count->load() < 2) std::this_thread::yield();
    co_return 1;
  };
  auto done = runtime_->block_on(
      [](std::atomic<int>* count, auto f) -> Task<int> {
        auto [a, b] = co_await fork(f(count), f(count));
        co_return a + b;
      },
      &there, meet);
  EXPECT_EQ(done, 2);
}

TEST_P(ForkTest, ADumpShowsBranches) {
  std::atomic<int> begun = 0;
  auto task = runtime_->spawn(
      [](std::atomic<int>* count) -> Task<int> {
        auto [a, b] = co_await fork(until_cancelled(count), until_cancelled(count));
        co_return a + b;
      },
      &begun);
  unsigned branches = 0, parents = 0;
  ASSERT_TRUE(test::eventually([&] {
    branches = parents = 0;
    for (const DumpedTask& seen : runtime_->dump().tasks) {
      if (seen.state != TaskState::Waiting || !seen.complete) continue;
      if (seen.name == "fork" && seen.waits_for == "sleep") ++branches;
      // In place, so its own branch is a part of it; or both were stolen.
      if (seen.name.empty() && seen.waits_for == "sleep" && seen.chain.size() >= 2) ++parents;
      if (seen.name.empty() && seen.waits_for == "fork") ++parents;
    }
    return parents == 1 && branches >= 1;
  }));
  task.cancel();
  EXPECT_EQ(task.wait(), 2);
}

INSTANTIATE_TEST_SUITE_P(Workers, ForkTest,
                         testing::Values(test::RuntimeParam{1, Backend::Epoll},
                                         test::RuntimeParam{2, Backend::Epoll},
                                         test::RuntimeParam{4, Backend::Epoll},
                                         test::RuntimeParam{8, Backend::Epoll},
                                         test::RuntimeParam{2, Backend::Uring}),
                         test::param_name);

TEST(ForkOnCurrentThread, WorksThere) {
  RuntimeOptions options;
  options.current_thread = true;
  options.backend = Backend::Epoll;
  auto runtime = Runtime::create(options);
  ASSERT_TRUE(runtime.has_value());
  EXPECT_EQ((*runtime)->block_on(&fib, 18u), 2584u);
  std::atomic<unsigned> count = 0;
  EXPECT_EQ((*runtime)->block_on(&restless_fib, 12u, &count, 3u), 144u);
}

}  // namespace
}  // namespace zokio
