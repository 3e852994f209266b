// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/notify.h"

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class NotifyTest : public Sync {};
class NotifyOne : public SyncOne {};

Task<void> count_wakes(sync::Notify* notify, std::atomic<int>* started, std::vector<int>* order,
                       int number) {
  started->fetch_add(1);
  auto woken = co_await notify->wait();
  if (woken.has_value()) order->push_back(number);
}

TEST_P(NotifyOne, OldestFirstAndPermitsDoNotAddUp) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    sync::Notify notify;
    std::atomic<int> started{0};
    std::vector<int> order;
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < 6; ++i) {
      tasks.push_back(spawn(count_wakes, &notify, &started, &order, i));
      co_await until(&started, i + 1);
    }
    tasks[1].cancel();
    co_await tasks[1];
    notify.notify_one();
    co_await tasks[0];
    notify.notify_one();
    co_await tasks[2];
    EXPECT_EQ(order, (std::vector<int>{0, 2}));
    notify.notify_all();
    for (size_t i : {3u, 4u, 5u}) co_await tasks[i];
    EXPECT_EQ(order.size(), 5u);
    // Nobody waits: notify_all leaves nothing, notify_one one permit however often.
    notify.notify_all();
    notify.notify_one();
    notify.notify_one();
    EXPECT_TRUE((co_await notify.wait()).has_value());
    auto last = spawn(count_wakes, &notify, &started, &order, 6);
    co_await until(&started, 7);
    for (int i = 0; i < 10; ++i) co_await yield_now();
    EXPECT_FALSE(last.finished());
    last.cancel();
    co_await last;
    EXPECT_EQ(order.size(), 5u);
  });
  EXPECT_TRUE(outcome.has_value());
}

struct Court {
  sync::Notify ping, pong;
};

Task<void> answer(Court* court, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    auto woken = co_await court->ping.wait();
    CO_ASSERT(woken.has_value());
    court->pong.notify_one();
  }
}

TEST_P(NotifyTest, PingPong) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    constexpr int kRounds = 20'000;
    Court court;
    auto other = spawn(answer, &court, kRounds);
    for (int i = 0; i < kRounds; ++i) {
      court.ping.notify_one();
      auto woken = co_await court.pong.wait();
      CO_ASSERT(woken.has_value());
    }
    co_await other;
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(NotifyTest, FromAForeignThread) {
  Court court;
  constexpr int kRounds = 300;
  auto task = runtime_->spawn(answer, &court, kRounds);
  std::atomic<int> answered{0};
  auto listener = runtime_->spawn(
      [](Court* c, std::atomic<int>* n) -> Task<void> {
        for (int i = 0; i < kRounds; ++i) {
          auto woken = co_await c->pong.wait();
          CO_ASSERT(woken.has_value());
          n->fetch_add(1);
        }
      },
      &court, &answered);
  for (int i = 1; i <= kRounds; ++i) {
    court.ping.notify_one();
    ASSERT_TRUE(eventually([&] { return answered.load() >= i; }));
  }
  EXPECT_TRUE(task.wait().has_value());
  EXPECT_TRUE(listener.wait().has_value());
}

// A notification goes to a waiter that uses it, or stays: of a cancelled and a patient waiter with
// one notification for each that was woken, none is missing.
TEST_P(NotifyTest, ACancelLosesNoNotification) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    for (int i = 0; i < 1000; ++i) {
      sync::Notify notify;
      auto one = spawn([](sync::Notify* n) -> Task<Result<void>> { co_return co_await n->wait(); },
                       &notify);
      if (i % 3 != 0) co_await yield_now();
      auto notifier = spawn(
          [](sync::Notify* n) -> Task<void> {
            n->notify_one();
            co_return;
          },
          &notify);
      one.cancel();
      auto ended = co_await one;
      co_await notifier;
      // Cancelled: the notification is still there.
      if (!ended.has_value()) {
        auto left = co_await notify.wait();
        if (!left.has_value()) co_return i;
      }
    }
    co_return -1;
  });
  EXPECT_EQ(*outcome, -1);
}

ZOKIO_SYNC_MATRIX(NotifyTest);
ZOKIO_SYNC_ONE(NotifyOne);

}  // namespace
}  // namespace zokio::test
