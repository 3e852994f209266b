// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/mutex.h"

#include "sync_fixture.h"
#include "zokio/sync/shared_mutex.h"

namespace zokio::test {
namespace {

class MutexTest : public Sync {};
class MutexOne : public SyncOne {};

struct Guarded {
  sync::Mutex mutex;
  int plain = 0;  // a data race, when two are inside
  bool inside = false;
  bool two_inside = false;
};

Task<Result<void>> add(Guarded* guarded, int times, bool yields) {
  for (int i = 0; i < times; ++i) {
    ZOKIO_CO_TRY(auto guard, co_await guarded->mutex.lock());
    if (std::exchange(guarded->inside, true)) guarded->two_inside = true;
    ++guarded->plain;
    if (yields && i % 7 == 0) co_await yield_now();
    guarded->inside = false;
  }
  co_return {};
}

TEST_P(MutexTest, OneAtATime) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    Guarded guarded;
    std::vector<JoinHandle<Result<void>>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(spawn(add, &guarded, 1000, i % 2 == 0));
    for (auto& task : tasks) ZOKIO_CO_CHECKED(co_await task);
    EXPECT_EQ(guarded.plain, 20'000);
    EXPECT_FALSE(guarded.two_inside);
    EXPECT_FALSE(guarded.mutex.is_locked());
    co_return {};
  });
  EXPECT_TRUE(outcome.has_value());
}

Task<void> take_number(sync::Mutex* mutex, std::atomic<int>* started, std::vector<int>* order,
                       int number) {
  started->fetch_add(1);
  auto guard = co_await mutex->lock();
  if (guard.has_value()) order->push_back(number);
}

TEST_P(MutexOne, InTheOrderOfAsking) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    sync::Mutex mutex;
    std::atomic<int> started{0};
    std::vector<int> order;
    auto held = mutex.try_lock();
    EXPECT_TRUE(static_cast<bool>(held));
    EXPECT_FALSE(static_cast<bool>(mutex.try_lock()));
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back(spawn(take_number, &mutex, &started, &order, i));
      co_await until(&started, i + 1);
    }
    tasks[0].cancel();
    tasks[5].cancel();
    tasks[9].cancel();
    co_await tasks[5];
    held.unlock();
    // Handed over: nobody overtakes.
    EXPECT_FALSE(static_cast<bool>(mutex.try_lock()));
    for (size_t i = 0; i < tasks.size(); ++i)
      if (i != 5) co_await tasks[i];
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 6, 7, 8}));
    EXPECT_FALSE(mutex.is_locked());
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(MutexTest, TheOnlyWaiterIsCancelled) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    sync::Mutex mutex;
    std::atomic<int> started{0};
    std::vector<int> order;
    auto held = mutex.try_lock();
    auto waiter = spawn(take_number, &mutex, &started, &order, 0);
    co_await until(&started, 1);
    waiter.cancel();
    co_await waiter;
    EXPECT_TRUE(order.empty());
    EXPECT_TRUE(mutex.is_locked());
    held.unlock();
    EXPECT_FALSE(mutex.is_locked());
  });
  EXPECT_TRUE(outcome.has_value());
}

// Cancels at every moment: a mutex that was handed over to a cancelled task is not lost.
TEST_P(MutexTest, CancelledAtRandom) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    Guarded guarded;
    int cancelled = 0;
    for (int round = 0; round < 200; ++round) {
      std::vector<JoinHandle<Result<void>>> tasks;
      for (int i = 0; i < 6; ++i) tasks.push_back(spawn(add, &guarded, 20, true));
      for (int i = 0; i < round % 5; ++i) co_await yield_now();
      for (size_t i = 0; i < tasks.size(); i += 2) tasks[i].cancel();
      for (auto& task : tasks) cancelled += (co_await task).has_value() ? 0 : 1;
      if (guarded.mutex.is_locked()) co_return -1;
    }
    EXPECT_FALSE(guarded.two_inside);
    co_return cancelled;
  });
  EXPECT_GT(*outcome, 0);
}

TEST_P(MutexTest, UnlockedByAForeignThread) {
  sync::Mutex mutex;
  for (int i = 0; i < 200; ++i) {
    auto held = mutex.try_lock();
    ASSERT_TRUE(static_cast<bool>(held));
    auto task = runtime_->spawn(
        [](sync::Mutex* m) -> Task<bool> {
          auto guard = co_await m->lock();
          co_return guard.has_value();
        },
        &mutex);
    if (i % 2 == 0) std::this_thread::yield();
    held.unlock();
    ASSERT_TRUE(*task.wait());
  }
}

TEST_P(MutexTest, AloneItStillGivesTurns) {
  auto outcome = runtime_->block_on([]() -> Task<bool> {
    sync::Mutex mutex;
    std::atomic<bool> ran{false};
    auto other = spawn(
        [](std::atomic<bool>* flag) -> Task<void> {
          flag->store(true);
          co_return;
        },
        &ran);
    for (int64_t i = 0; i < 100'000'000 && !ran.load(); ++i) {
      auto guard = co_await mutex.lock();
    }
    const bool seen = ran.load();
    co_await other;
    co_return seen;
  });
  EXPECT_TRUE(*outcome);
}

struct Shared {
  sync::SharedMutex mutex;
  std::atomic<int> readers{0};
  std::atomic<int> most_readers{0};
  int plain = 0;  // written by writers
  std::atomic<bool> wrong{false};
};

Task<Result<void>> read_often(Shared* shared, int times) {
  for (int i = 0; i < times; ++i) {
    ZOKIO_CO_TRY(auto guard, co_await shared->mutex.lock_shared());
    const int now = shared->readers.fetch_add(1) + 1;
    if (now > shared->most_readers.load()) shared->most_readers.store(now);
    const int before = shared->plain;
    co_await yield_now();
    if (shared->plain != before) shared->wrong = true;
    shared->readers.fetch_sub(1);
  }
  co_return {};
}

Task<Result<void>> write_often(Shared* shared, int times) {
  for (int i = 0; i < times; ++i) {
    ZOKIO_CO_TRY(auto guard, co_await shared->mutex.lock());
    if (shared->readers.load() != 0) shared->wrong = true;
    ++shared->plain;
    co_await yield_now();
  }
  co_return {};
}

TEST_P(MutexTest, SharedByReadersAndNotWithWriters) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    Shared shared;
    std::vector<JoinHandle<Result<void>>> tasks;
    for (int i = 0; i < 8; ++i) tasks.push_back(spawn(read_often, &shared, 200));
    for (int i = 0; i < 2; ++i) tasks.push_back(spawn(write_often, &shared, 200));
    for (auto& task : tasks) ZOKIO_CO_CHECKED(co_await task);
    EXPECT_EQ(shared.plain, 400);
    EXPECT_FALSE(shared.wrong.load());
    EXPECT_GT(shared.most_readers.load(), 1);
    co_return {};
  });
  EXPECT_TRUE(outcome.has_value());
}

// Readers that come after a waiting writer wait behind it.
TEST_P(MutexOne, AWriterIsNotStarved) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    sync::SharedMutex mutex;
    auto reader = mutex.try_lock_shared();
    EXPECT_TRUE(static_cast<bool>(reader));
    std::atomic<int> started{0};
    auto writer = spawn(
        [](sync::SharedMutex* m, std::atomic<int>* s) -> Task<bool> {
          s->fetch_add(1);
          auto guard = co_await m->lock();
          co_return guard.has_value();
        },
        &mutex, &started);
    co_await until(&started, 1);
    EXPECT_FALSE(static_cast<bool>(mutex.try_lock_shared()));
    EXPECT_FALSE(writer.finished());
    reader.drop();
    EXPECT_TRUE(*co_await writer);
    EXPECT_TRUE(static_cast<bool>(mutex.try_lock()));
  });
  EXPECT_TRUE(outcome.has_value());
}

ZOKIO_SYNC_MATRIX(MutexTest);
ZOKIO_SYNC_ONE(MutexOne);

}  // namespace
}  // namespace zokio::test
