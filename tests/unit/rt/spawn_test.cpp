// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <vector>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using Spawn = test::RuntimeTest;

Task<uint64_t> yielding_square(uint64_t n) {
  for (uint64_t i = 0; i < n % 7; ++i) co_await yield_now();
  co_return n* n;
}
Task<int> thrower() {
  throw std::runtime_error("spawned");
  co_return 1;
}
Task<void> nothing() {
  co_return;
}

Task<uint64_t> spawn_and_sum(uint64_t count) {
  std::vector<JoinHandle<uint64_t>> handles;
  for (uint64_t i = 0; i < count; ++i) handles.push_back(spawn(yielding_square, i));
  uint64_t sum = 0;
  for (auto& handle : handles) {
    auto value = co_await handle;
    sum += *value;
  }
  co_return sum;
}

TEST_P(Spawn, EveryTaskRunsOnceAndIsJoined) {
  constexpr uint64_t kCount = 20'000;
  uint64_t expected = 0;
  for (uint64_t i = 0; i < kCount; ++i) expected += i * i;
  EXPECT_EQ(*runtime_->block_on(spawn_and_sum, kCount), expected);
  EXPECT_GE(runtime_->stats().scheduler.tasks_spawned, kCount);
}

TEST_P(Spawn, FromManyThreadsOutside) {
  constexpr uint64_t kThreads = 4, kEach = 2'000;
  std::atomic<uint64_t> sum{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; ++i) {
        runtime_
            ->spawn(
                [](std::atomic<uint64_t>* into, uint64_t n) -> Task<void> {
                  into->fetch_add(n);
                  co_return;
                },
                &sum, t* kEach + i)
            .detach();
      }
    });
  for (auto& thread : threads) thread.join();
  constexpr uint64_t kAll = kThreads * kEach;
  EXPECT_TRUE(test::eventually([&] { return sum.load() == kAll * (kAll - 1) / 2; }));
}

TEST_P(Spawn, ExceptionStopsAtTheBoundary) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    auto handle = spawn(thrower);
    Result<int> result = co_await handle;
    if (!handle.exception()) co_return 0;
    co_return result;
  });
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, Errc::Internal);
  EXPECT_EQ(outcome.error().detail, Detail::Panicked);
  // The task that threw, and the root task, which passed its error on.
  EXPECT_EQ(runtime_->stats().scheduler.tasks_finished_error, 2u);
}

TEST_P(Spawn, CallableAndArgumentsLiveAsLongAsTheTask) {
  auto alive = std::make_shared<int>(7);
  std::weak_ptr<int> watch = alive;
  auto handle = runtime_->spawn(
      [](std::shared_ptr<int> held) -> Task<int> {
        for (int i = 0; i < 50; ++i) co_await yield_now();
        co_return *held;
      },
      std::move(alive));
  auto got = runtime_->block_on(
      [](JoinHandle<int>* h) -> Task<int> {
        auto v = co_await *h;
        co_return *v;
      },
      &handle);
  EXPECT_EQ(*got, 7);
  // The handle is still there: the argument went with the task.
  EXPECT_TRUE(watch.expired());
}

// Counts what exists of it.
class Counted {
 public:
  explicit Counted(std::atomic<int>* alive) : alive_(alive) { alive_->fetch_add(1); }
  Counted(Counted&& other) noexcept : alive_(other.alive_) { alive_->fetch_add(1); }
  ~Counted() { alive_->fetch_sub(1); }

 private:
  std::atomic<int>* alive_;
};

Task<Counted> counted(std::atomic<int>* alive, bool late, bool fails) {
  if (late) co_await yield_now();
  if (fails) throw std::runtime_error("no outcome");
  co_return Counted(alive);
}

enum class Ownership { DetachBefore, DetachAfter, JoinAndDrop };

// However a task and its handle part, an outcome is destroyed once.
TEST_P(Spawn, OutcomesAreDestroyedOnce) {
  std::atomic<int> alive{0};
  std::atomic<int>* const count = &alive;
  for (const auto ownership :
       {Ownership::DetachBefore, Ownership::DetachAfter, Ownership::JoinAndDrop}) {
    for (const bool late : {false, true}) {
      for (const bool fails : {false, true}) {
        auto handle = runtime_->spawn(counted, count, late, fails);
        if (ownership == Ownership::DetachBefore) handle.detach();
        if (ownership == Ownership::DetachAfter) {
          ASSERT_TRUE(test::eventually([&] { return handle.finished(); }));
          EXPECT_EQ(alive.load(), fails ? 0 : 1);
          handle.detach();
        }
        if (ownership == Ownership::JoinAndDrop) {
          EXPECT_EQ(handle.wait().has_value(), !fails);
          EXPECT_EQ(handle.exception() != nullptr, fails);
          handle.detach();
        }
        ASSERT_TRUE(test::eventually(
            [&] { return alive.load() == 0 && runtime_->stats().scheduler.tasks_alive == 0; }));
      }
    }
  }
}

class ThrowsWhenMoved {
 public:
  explicit ThrowsWhenMoved(int moves) : left_(moves) {}
  ThrowsWhenMoved(ThrowsWhenMoved&& other) : left_(other.left_ - 1) {
    if (left_ < 0) throw std::runtime_error("moved once too often");
  }

 private:
  int left_;
};

// The frame of a coroutine whose parameters cannot be made goes back although it has no promise
// yet.
TEST_P(Spawn, AnArgumentThatCannotBeMovedIn) {
  const auto take = [](ThrowsWhenMoved) -> Task<void> { co_return; };
  int failed = 0;
  for (int moves = 0; moves < 10; ++moves) {
    try {
      runtime_->spawn(take, ThrowsWhenMoved(moves)).detach();
    } catch (const std::runtime_error&) {
      ++failed;
    }
  }
  EXPECT_GT(failed, 1);
  EXPECT_LT(failed, 10);
}

TEST_P(Spawn, VoidTasksJoin) {
  auto done = runtime_->block_on([]() -> Task<Result<void>> {
    auto handle = spawn(nothing);
    co_return co_await handle;
  });
  EXPECT_TRUE(done.has_value());
}

TEST_P(Spawn, JoinEndsWhenTheWaiterIsCancelledAndTheHandleStaysGood) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    auto slow = spawn([]() -> Task<int> {
      co_await sleep(std::chrono::milliseconds(50));
      co_return 5;
    });
    struct Wait {
      static Task<Result<int>> join(JoinHandle<int>* handle) { co_return co_await *handle; }
    };
    auto waiter = spawn(&Wait::join, &slow);
    waiter.cancel();
    auto cut = co_await waiter;
    if (cut.has_value() || cut.error().code != Errc::Cancelled)
      co_return fail(Errc::Internal, "the join was not cut");
    co_return co_await slow;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 5);
}

TEST_P(Spawn, BlockingRunsBesideTheWorkers) {
  auto outcome = runtime_->block_on([]() -> Task<Result<bool>> {
    auto where = co_await blocking([] { return task::context().worker; });
    if (!where.has_value()) co_return fail(where.error());
    co_return *where == task::kNoWorker&& task::context().worker != task::kNoWorker;
  });
  EXPECT_TRUE(*outcome);
}

TEST_P(Spawn, WorkIsSharedBetweenWorkers) {
  if (GetParam().workers < 2) GTEST_SKIP() << "one worker";
  // A task that spins until tasks ran on another worker: passes only when somebody steals.
  auto outcome = runtime_->block_on([]() -> Task<bool> {
    static std::atomic<bool> ran;
    ran = false;
    const uint32_t home = task::context().worker;
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 64; ++i)
      handles.push_back(spawn(
          [](uint32_t not_here) -> Task<void> {
            if (task::context().worker != not_here) ran = true;
            co_return;
          },
          home));
    co_return test::eventually([] { return ran.load(); });
  });
  EXPECT_TRUE(*outcome);
}

// More tasks than the own queue holds, all of them ready all the time: those that were spilled get
// their turns, too.
Task<void> take_turns(std::atomic<uint64_t>* turns, std::atomic<uint64_t>* all, uint64_t enough) {
  while (all->fetch_add(1, std::memory_order_relaxed) < enough) {
    turns->fetch_add(1, std::memory_order_relaxed);
    co_await yield_now();
  }
}

Task<void> join_all(std::vector<JoinHandle<void>>* handles) {
  for (auto& handle : *handles) co_await handle;
}

TEST_P(Spawn, TasksThatWereSpilledHaveTheirTurns) {
  constexpr uint64_t kTasks = 2'000, kTurns = 500;
  std::vector<std::atomic<uint64_t>> turns(kTasks);
  std::atomic<uint64_t> all{0};
  std::vector<JoinHandle<void>> handles;
  for (auto& mine : turns)
    handles.push_back(runtime_->spawn(&take_turns, &mine, &all, kTasks * kTurns));
  runtime_->block_on(&join_all, &handles);
  uint64_t least = kTasks * kTurns;
  for (const auto& mine : turns) least = std::min(least, mine.load());
  // Several workers on a busy machine do not get the same time.
  EXPECT_GE(least, GetParam().workers == 1 ? kTurns / 4 : kTurns / 20);
}

ZOKIO_RUNTIME_MATRIX(Spawn);

}  // namespace
}  // namespace zokio
