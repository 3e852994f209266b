// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/condition.h"

#include <deque>

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class ConditionTest : public Sync {};

struct Queue {
  sync::Mutex mutex;
  sync::Condition not_empty;
  sync::Condition not_full;
  std::deque<int> items;  // at most 3
  bool ended = false;
};

Task<Result<void>> produce(Queue* queue, int count) {
  for (int i = 1; i <= count; ++i) {
    ZOKIO_CO_TRY(auto guard, co_await queue->mutex.lock());
    while (queue->items.size() == 3) ZOKIO_CO_CHECKED(co_await queue->not_full.wait(guard));
    queue->items.push_back(i);
    queue->not_empty.notify_one();
  }
  co_return {};
}

Task<Result<int64_t>> consume(Queue* queue) {
  int64_t sum = 0;
  while (true) {
    ZOKIO_CO_TRY(auto guard, co_await queue->mutex.lock());
    while (queue->items.empty() && !queue->ended)
      ZOKIO_CO_CHECKED(co_await queue->not_empty.wait(guard));
    if (queue->items.empty()) co_return sum;
    sum += queue->items.front();
    queue->items.pop_front();
    queue->not_full.notify_one();
  }
}

TEST_P(ConditionTest, ABoundedQueue) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int64_t>> {
    Queue queue;
    std::vector<JoinHandle<Result<void>>> producers;
    std::vector<JoinHandle<Result<int64_t>>> consumers;
    for (int i = 0; i < 3; ++i) consumers.push_back(spawn(consume, &queue));
    for (int i = 0; i < 4; ++i) producers.push_back(spawn(produce, &queue, 1000));
    for (auto& task : producers) ZOKIO_CO_CHECKED(co_await task);
    {
      ZOKIO_CO_TRY(auto guard, co_await queue.mutex.lock());
      queue.ended = true;
    }
    queue.not_empty.notify_all();
    int64_t sum = 0;
    for (auto& task : consumers) {
      ZOKIO_CO_TRY(int64_t part, co_await task);
      sum += part;
    }
    co_return sum;
  });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(*outcome, 4 * 500'500);
}

Task<Errc> wait_once(Queue* queue, std::atomic<int>* started, bool* held_after) {
  auto guard = co_await queue->mutex.lock();
  if (!guard.has_value()) co_return guard.error().code;
  started->fetch_add(1);
  auto waited = co_await queue->not_empty.wait(*guard);
  *held_after = queue->mutex.is_locked();
  co_return waited.has_value() ? Errc{} : waited.error().code;
}

// A cancelled wait has the mutex again, also when another task holds it meanwhile.
TEST_P(ConditionTest, CancelledWithTheMutex) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    Queue queue;
    std::atomic<int> started{0};
    bool held = false;
    auto waiter = spawn(wait_once, &queue, &started, &held);
    co_await until(&started, 1);
    auto mine = co_await queue.mutex.lock();
    waiter.cancel();
    for (int i = 0; i < 10; ++i) co_await yield_now();
    EXPECT_FALSE(waiter.finished());
    queue.not_empty.notify_all();  // nobody waits there any more
    mine->unlock();
    auto ended = co_await waiter;
    EXPECT_EQ(*ended, Errc::Cancelled);
    EXPECT_TRUE(held);
    EXPECT_FALSE(queue.mutex.is_locked());
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(ConditionTest, NotifyRacesCancel) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    int notified = 0;
    for (int i = 0; i < 500; ++i) {
      Queue queue;
      std::atomic<int> started{0};
      bool held = false;
      auto waiter = spawn(wait_once, &queue, &started, &held);
      co_await until(&started, 1);
      auto notifier = spawn(
          [](Queue* q, int how) -> Task<void> {
            if (how % 2 == 0) {
              auto guard = co_await q->mutex.lock();
              q->not_empty.notify_one();
            } else {
              q->not_empty.notify_all();
            }
          },
          &queue, i);
      if (i % 3 != 0) co_await yield_now();
      waiter.cancel();
      auto ended = co_await waiter;
      co_await notifier;
      if (*ended == Errc{}) ++notified;
      if (!held || queue.mutex.is_locked()) co_return -1;
    }
    co_return notified;
  });
  EXPECT_GE(*outcome, 0);
}

ZOKIO_SYNC_MATRIX(ConditionTest);

}  // namespace
}  // namespace zokio::test
