// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/semaphore.h"

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class SemaphoreTest : public Sync {};
class SemaphoreOne : public SyncOne {};

struct Gate {
  sync::Semaphore semaphore{3};
  std::atomic<int64_t> inside{0};
  std::atomic<int64_t> most{0};
  static Task<Result<void>> enter(Gate* gate, int64_t count) {
    for (int i = 0; i < 50; ++i) {
      ZOKIO_CO_TRY(auto permit, co_await gate->semaphore.acquire(count));
      const int64_t now = gate->inside.fetch_add(count) + count;
      int64_t most = gate->most.load();
      while (now > most && !gate->most.compare_exchange_weak(most, now)) {
      }
      co_await yield_now();
      gate->inside.fetch_sub(count);
    }
    co_return {};
  }
};

TEST_P(SemaphoreTest, NeverLetsMoreThanItsPermitsIn) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    Gate gate;
    std::vector<JoinHandle<Result<void>>> tasks;
    for (int i = 0; i < 50; ++i) tasks.push_back(spawn(&Gate::enter, &gate, 1 + i % 3));
    for (auto& task : tasks) ZOKIO_CO_CHECKED(co_await task);
    EXPECT_LE(gate.most.load(), 3);
    EXPECT_GE(gate.most.load(), 2);
    EXPECT_EQ(gate.semaphore.available(), 3);
    co_return {};
  });
  EXPECT_TRUE(outcome.has_value());
}

// Cancels at random: permits put aside for a cancelled task are given on.
TEST_P(SemaphoreTest, CancelledAtRandomNothingIsLost) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    Gate gate;
    int cancelled = 0;
    for (int round = 0; round < 200; ++round) {
      std::vector<JoinHandle<Result<void>>> tasks;
      for (int i = 0; i < 6; ++i) tasks.push_back(spawn(&Gate::enter, &gate, 1 + i % 3));
      for (int i = 0; i < round % 7; ++i) co_await yield_now();
      for (size_t i = 0; i < tasks.size(); i += 2) tasks[i].cancel();
      for (auto& task : tasks) cancelled += (co_await task).has_value() ? 0 : 1;
      if (gate.semaphore.available() != 3) co_return -1;
    }
    EXPECT_LE(gate.most.load(), 3);
    co_return cancelled;
  });
  EXPECT_GT(*outcome, 0);
}

Task<void> take(sync::Semaphore* semaphore, int64_t count, std::atomic<int>* started,
                std::vector<int64_t>* order) {
  started->fetch_add(1);
  auto permit = co_await semaphore->acquire(count);
  if (!permit.has_value()) co_return;
  order->push_back(count);
  permit->forget();
}

TEST_P(SemaphoreOne, ManyAreNotOvertakenByFew) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    sync::Semaphore semaphore(2);
    std::atomic<int> started{0};
    std::vector<int64_t> order;
    std::vector<JoinHandle<void>> tasks;
    int expected = 0;
    for (int64_t count : {5, 1, 3, 2}) {
      tasks.push_back(spawn(take, &semaphore, count, &started, &order));
      co_await until(&started, ++expected);
    }
    EXPECT_EQ(semaphore.available(), 0);
    EXPECT_FALSE(static_cast<bool>(semaphore.try_acquire()));
    semaphore.release(2);  // 4 of 5
    for (int i = 0; i < 10; ++i) co_await yield_now();
    EXPECT_TRUE(order.empty());
    semaphore.release(2);  // the first, and the one behind it
    co_await tasks[0];
    co_await tasks[1];
    EXPECT_EQ(order, (std::vector<int64_t>{5, 1}));
    semaphore.release(2);  // 2 of 3 put aside; then it is cancelled, and they go to the next
    tasks[2].cancel();
    co_await tasks[2];
    co_await tasks[3];
    EXPECT_EQ(order, (std::vector<int64_t>{5, 1, 2}));
    EXPECT_EQ(semaphore.available(), 0);
    semaphore.release();
    EXPECT_EQ(semaphore.available(), 1);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(SemaphoreOne, DebtIsPaidByReleases) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    sync::Semaphore semaphore(2);
    auto one = semaphore.try_acquire();
    auto two = semaphore.try_acquire();
    semaphore.add_permits(-1);
    EXPECT_EQ(semaphore.available(), -1);
    std::atomic<int> started{0};
    std::vector<int64_t> order;
    auto third = spawn(take, &semaphore, 1, &started, &order);
    co_await until(&started, 1);
    semaphore.add_permits(-1);  // with a waiter
    one.drop();
    two.drop();  // both pay the debt
    for (int i = 0; i < 10; ++i) co_await yield_now();
    EXPECT_FALSE(third.finished());
    third.cancel();
    co_await third;
    EXPECT_EQ(semaphore.available(), 0);
    semaphore.add_permits(-2);
    auto fourth = spawn(take, &semaphore, 1, &started, &order);
    co_await until(&started, 2);
    fourth.cancel();  // the debt stays
    co_await fourth;
    EXPECT_EQ(semaphore.available(), -2);
    semaphore.release(3);
    EXPECT_EQ(semaphore.available(), 1);
    EXPECT_TRUE(order.empty());
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(SemaphoreTest, ReleasedByForeignThreads) {
  sync::Semaphore semaphore(0);
  constexpr int kEach = 5000;
  std::vector<JoinHandle<Result<void>>> tasks;
  for (int t = 0; t < 4; ++t)
    tasks.push_back(runtime_->spawn(
        [](sync::Semaphore* s) -> Task<Result<void>> {
          for (int i = 0; i < kEach; ++i) {
            ZOKIO_CO_TRY(auto permit, co_await s->acquire());
            permit.forget();
          }
          co_return {};
        },
        &semaphore));
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 2 * kEach; ++i) semaphore.release();
    });
  for (auto& thread : threads) thread.join();
  for (auto& task : tasks) EXPECT_TRUE(task.wait().has_value());
  EXPECT_EQ(semaphore.available(), 0);
}

ZOKIO_SYNC_MATRIX(SemaphoreTest);
ZOKIO_SYNC_ONE(SemaphoreOne);

}  // namespace
}  // namespace zokio::test
