// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/mpmc.h"

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class MpmcTest : public Sync {};

struct Ledger {
  std::atomic<int> alive{0};
  std::atomic<int64_t> sent{0};
  std::atomic<int64_t> received{0};
  std::atomic<bool> wrong{false};
};

// Arguments live as long as the frame, which is as long as the handle: the sender goes before.
Task<void> send_some(sync::MpmcSender<Counted> argument, Ledger* ledger, int times) {
  auto tx = std::move(argument);
  for (int i = 0; i < times; ++i) {
    Counted value(i, &ledger->alive);
    auto sent = co_await tx.send(std::move(value));
    if (sent.has_value() != value.moved_from()) ledger->wrong = true;
    if (!sent.has_value()) co_return;
    ledger->sent.fetch_add(value.value);
  }
}

Task<void> receive_some(sync::MpmcReceiver<Counted> argument, Ledger* ledger) {
  auto rx = std::move(argument);
  while (true) {
    auto value = co_await rx.recv();
    if (!value.has_value()) co_return;
    ledger->received.fetch_add(value->value);
  }
}

TEST_P(MpmcTest, EachValueOnce) {
  for (size_t capacity : {1u, 5u, 256u}) {
    Ledger ledger;
    auto outcome = runtime_->block_on(
        [](size_t cap, Ledger* l) -> Task<void> {
          auto [tx, rx] = sync::mpmc<Counted>(cap);
          std::vector<JoinHandle<void>> tasks;
          for (int i = 0; i < 4; ++i) {
            tasks.push_back(spawn(send_some, sync::MpmcSender<Counted>(tx), l, 3000));
            tasks.push_back(spawn(receive_some, sync::MpmcReceiver<Counted>(rx), l));
          }
          {
            auto gone = std::move(tx);
          }
          {
            auto gone = std::move(rx);
          }
          for (auto& task : tasks) co_await task;
        },
        capacity, &ledger);
    EXPECT_TRUE(outcome.has_value());
    EXPECT_EQ(ledger.sent.load(), 4 * (2999 * 3000 / 2));
    EXPECT_EQ(ledger.received.load(), ledger.sent.load());
    EXPECT_EQ(ledger.alive.load(), 0);
    EXPECT_FALSE(ledger.wrong.load());
  }
}

// What a cancelled receiver was given counts; nothing is lost or doubled.
TEST_P(MpmcTest, CancelledAtRandom) {
  Ledger ledger;
  auto outcome = runtime_->block_on(
      [](Ledger* l) -> Task<void> {
        for (int round = 0; round < 200; ++round) {
          auto [tx, rx] = sync::mpmc<Counted>(static_cast<size_t>(1 + round % 3));
          std::vector<JoinHandle<void>> senders, receivers;
          for (int i = 0; i < 3; ++i) {
            receivers.push_back(spawn(receive_some, sync::MpmcReceiver<Counted>(rx), l));
            senders.push_back(spawn(send_some, sync::MpmcSender<Counted>(tx), l, 20));
          }
          {
            auto gone = std::move(tx);
          }
          for (int i = 0; i < round % 4; ++i) co_await yield_now();
          receivers[0].cancel();
          senders[1].cancel();
          if (round % 2 == 0) receivers[2].cancel();
          for (auto& task : senders) co_await task;
          for (auto& task : receivers) co_await task;
          // Whatever is left when receivers were cancelled.
          while (true) {
            auto value = co_await rx.recv();
            if (!value.has_value()) break;
            l->received.fetch_add(value->value);
          }
        }
      },
      &ledger);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(ledger.received.load(), ledger.sent.load());
  EXPECT_EQ(ledger.alive.load(), 0);
  EXPECT_FALSE(ledger.wrong.load());
}

TEST_P(MpmcTest, FullEmptyAndClosed) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [tx, rx] = sync::mpmc<int>(2);
    EXPECT_EQ(rx.try_recv().error().code, Errc::Unavailable);
    EXPECT_TRUE(tx.try_send(1).has_value());
    EXPECT_TRUE((co_await tx.send(2)).has_value());
    EXPECT_EQ(tx.try_send(3).error().code, Errc::ResourceExhausted);
    rx.close();
    EXPECT_EQ(tx.try_send(3).error().detail, Detail::Closed);
    EXPECT_EQ(*rx.try_recv(), 1);
    EXPECT_EQ(*co_await rx.recv(), 2);
    EXPECT_EQ((co_await rx.recv()).error().detail, Detail::Closed);
    auto [tx2, rx2] = sync::mpmc<int>(2);
    {
      auto gone = std::move(rx2);
    }
    EXPECT_EQ((co_await tx2.send(1)).error().detail, Detail::Closed);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(MpmcTest, ForeignThreadsOnBothSides) {
  auto [tx, rx] = sync::mpmc<int>(8);
  std::atomic<int64_t> sum{0};
  auto task = runtime_->spawn(
      [](sync::MpmcReceiver<int> receiver, std::atomic<int64_t>* total) -> Task<void> {
        while (true) {
          auto value = co_await receiver.recv();
          if (!value.has_value()) co_return;
          total->fetch_add(*value);
        }
      },
      sync::MpmcReceiver<int>(rx), &sum);
  std::thread sender([mine = std::move(tx)]() mutable {
    for (int i = 0; i < 200; ++i)
      while (!mine.try_send(+i).has_value()) std::this_thread::yield();
    {
      auto gone = std::move(mine);
    }
  });
  while (true) {
    auto value = rx.try_recv();
    if (value.has_value())
      sum.fetch_add(*value);
    else if (value.error().code == Errc::Aborted)
      break;
    else
      std::this_thread::yield();
  }
  sender.join();
  EXPECT_TRUE(task.wait().has_value());
  EXPECT_EQ(sum.load(), 199 * 200 / 2);
}

ZOKIO_SYNC_MATRIX(MpmcTest);

}  // namespace
}  // namespace zokio::test
