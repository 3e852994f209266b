// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/mpsc.h"

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class MpscTest : public Sync {};
class MpscOne : public SyncOne {};

using Sender = sync::MpscSender<int64_t>;
using Receiver = sync::BoundedReceiver<int64_t>;

Task<Result<void>> send_range(Sender tx, int64_t from, int64_t to) {
  for (int64_t i = from; i < to; ++i) ZOKIO_CO_CHECKED(co_await tx.send(i));
  co_return {};
}

struct Received {
  int64_t count = 0;
  int64_t sum = 0;
  bool in_order = true;
};

// Values of one sender, thousands apart from the others', arrive in order.
Task<Received> receive_all(Receiver rx, int64_t per_sender) {
  Received out;
  std::vector<int64_t> last(64, -1);
  while (true) {
    auto value = co_await rx.recv();
    if (!value.has_value()) {
      EXPECT_EQ(value.error().detail, Detail::Closed);
      co_return out;
    }
    ++out.count;
    out.sum += *value;
    auto& before = last[static_cast<size_t>(*value / per_sender)];
    if (*value <= before) out.in_order = false;
    before = *value;
  }
}

TEST_P(MpscTest, EverythingOnceAndInOrder) {
  for (size_t capacity : {1u, 2u, 7u, 64u, 1024u}) {
    for (int64_t senders : {1, 4, 9}) {
      auto outcome = runtime_->block_on(
          [](size_t cap, int64_t n) -> Task<Received> {
            constexpr int64_t kEach = 2000;
            auto [tx, rx] = sync::mpsc<int64_t>(cap);
            auto receiver = spawn(receive_all, std::move(rx), kEach);
            for (int64_t s = 0; s < n; ++s)
              spawn(send_range, Sender(tx), s * kEach, (s + 1) * kEach).detach();
            {
              auto gone = std::move(tx);
            }
            auto got = co_await receiver;
            co_return *got;
          },
          capacity, senders);
      const int64_t total = senders * 2000;
      EXPECT_EQ(outcome->count, total) << capacity << " " << senders;
      EXPECT_EQ(outcome->sum, total * (total - 1) / 2);
      EXPECT_TRUE(outcome->in_order);
    }
  }
}

TEST_P(MpscTest, FullEmptyAndClosed) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [tx, rx] = sync::mpsc<int>(3);
    EXPECT_EQ(rx.try_recv().error().code, Errc::Unavailable);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(tx.try_send(+i).has_value());
    auto full = tx.try_send(9);
    EXPECT_EQ(full.error().code, Errc::ResourceExhausted);
    EXPECT_EQ(full.error().detail, Detail::Limit);
    EXPECT_EQ(*rx.try_recv(), 0);
    EXPECT_TRUE(tx.try_send(3).has_value());
    rx.close();
    EXPECT_EQ(tx.try_send(4).error().detail, Detail::Closed);
    EXPECT_EQ((co_await tx.send(4)).error().detail, Detail::Closed);
    for (int i = 1; i <= 3; ++i) EXPECT_EQ(*co_await rx.recv(), i);
    EXPECT_EQ((co_await rx.recv()).error().detail, Detail::Closed);
    EXPECT_EQ(rx.try_recv().error().detail, Detail::Closed);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(MpscOne, SendersAreServedInTheOrderOfAsking) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [tx, rx] = sync::mpsc<int>(1);
    EXPECT_TRUE(tx.try_send(-1).has_value());
    std::atomic<int> started{0};
    std::vector<JoinHandle<Result<void>>> tasks;
    for (int i = 0; i < 8; ++i) {
      tasks.push_back(spawn(
          [](sync::MpscSender<int> sender, int n, std::atomic<int>* s) -> Task<Result<void>> {
            s->fetch_add(1);
            co_return co_await sender.send(n);
          },
          sync::MpscSender<int>(tx), i, &started));
      co_await until(&started, i + 1);
    }
    tasks[0].cancel();
    tasks[3].cancel();
    tasks[7].cancel();
    EXPECT_EQ(*rx.try_recv(), -1);
    EXPECT_FALSE(tx.try_send(9).has_value());  // the place went to the oldest
    std::vector<int> order;
    for (int i = 0; i < 5; ++i) order.push_back(*co_await rx.recv());
    EXPECT_EQ(order, (std::vector<int>{1, 2, 4, 5, 6}));
    for (auto& task : tasks) (void)co_await task;
    EXPECT_EQ(rx.try_recv().error().code, Errc::Unavailable);
  });
  EXPECT_TRUE(outcome.has_value());
}

struct Ledger {
  std::atomic<int> alive{0};
  std::atomic<int64_t> sent{0};
  std::atomic<int64_t> kept{0};
  std::atomic<int64_t> received{0};
  std::atomic<bool> wrong{false};
};

// Sends until it is cancelled or cut off; what was not sent is still here.
// Arguments live as long as the frame, which is as long as the handle: the sender goes before.
Task<void> send_counted(sync::MpscSender<Counted> argument, Ledger* ledger, int times) {
  auto tx = std::move(argument);
  for (int i = 0; i < times; ++i) {
    Counted value(1, &ledger->alive);
    auto sent = co_await tx.send(std::move(value));
    if (sent.has_value() != value.moved_from()) ledger->wrong = true;
    (sent.has_value() ? ledger->sent : ledger->kept).fetch_add(1);
    if (!sent.has_value()) co_return;
  }
}

Task<Errc> recv_counted(sync::BoundedReceiver<Counted>* rx, Ledger* ledger) {
  while (true) {
    auto value = co_await rx->recv();
    if (!value.has_value()) co_return value.error().code;
    ledger->received.fetch_add(1);
  }
}

// Cancels both sides at any point: sent equals received, nothing is lost or doubled.
TEST_P(MpscTest, CancelledAtRandom) {
  Ledger ledger;
  auto outcome = runtime_->block_on(
      [](Ledger* l) -> Task<void> {
        for (int round = 0; round < 150; ++round) {
          auto [tx, rx] = sync::mpsc<Counted>(static_cast<size_t>(1 + round % 4));
          std::vector<JoinHandle<void>> senders;
          for (int i = 0; i < 4; ++i)
            senders.push_back(spawn(send_counted, sync::MpscSender<Counted>(tx), l, 20));
          {
            auto gone = std::move(tx);
          }
          Errc ended = Errc::Cancelled;
          for (int turn = 0; ended == Errc::Cancelled; ++turn) {
            auto receiver = spawn(recv_counted, &rx, l);
            for (int i = 0; i < round % 4; ++i) co_await yield_now();
            if (turn < 5) receiver.cancel();
            if (turn == 2) senders[static_cast<size_t>(round % 4)].cancel();
            ended = *co_await receiver;
          }
          if (ended != Errc::Aborted) l->wrong = true;
          for (auto& sender : senders) co_await sender;
        }
      },
      &ledger);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(ledger.sent.load(), ledger.received.load());
  EXPECT_EQ(ledger.alive.load(), 0);
  EXPECT_FALSE(ledger.wrong.load());
}

// The receiver goes while senders wait: their values stay theirs, those inside are destroyed.
TEST_P(MpscTest, TheReceiverGoes) {
  Ledger ledger;
  auto outcome = runtime_->block_on(
      [](Ledger* l) -> Task<void> {
        for (int round = 0; round < 200; ++round) {
          auto [tx, rx] = sync::mpsc<Counted>(2);
          std::vector<JoinHandle<void>> senders;
          for (int i = 0; i < 4; ++i)
            senders.push_back(spawn(send_counted, sync::MpscSender<Counted>(tx), l, 1000));
          for (int i = 0; i < round % 5; ++i)
            l->received.fetch_add((co_await rx.recv()).has_value() ? 1 : 0);
          {
            auto gone = std::move(rx);
          }
          for (auto& sender : senders) co_await sender;
        }
      },
      &ledger);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(ledger.kept.load(), 4 * 200);
  EXPECT_EQ(ledger.alive.load(), 0);
  EXPECT_FALSE(ledger.wrong.load());
}

TEST_P(MpscTest, FromForeignThreads) {
  auto [tx, rx] = sync::mpsc_unbounded<int64_t>();
  auto task = runtime_->spawn(
      [](sync::UnboundedReceiver<int64_t> receiver) -> Task<int64_t> {
        int64_t sum = 0;
        while (true) {
          auto value = co_await receiver.recv();
          if (!value.has_value()) co_return sum;
          sum += *value;
        }
      },
      std::move(rx));
  constexpr int64_t kEach = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([sender = tx] {
      auto mine = sender;
      for (int64_t i = 0; i < kEach; ++i) EXPECT_TRUE(mine.send(+i).has_value());
    });
  {
    auto gone = std::move(tx);
  }
  for (auto& thread : threads) thread.join();
  threads.clear();  // their senders go with the callables
  EXPECT_EQ(*task.wait(), 3 * (kEach * (kEach - 1) / 2));
}

TEST_P(MpscTest, TrySendFromAForeignThreadUntilThereIsRoom) {
  auto [tx, rx] = sync::mpsc<int64_t>(4);
  auto task = runtime_->spawn(receive_all, std::move(rx), int64_t{1} << 40);
  std::thread thread([sender = std::move(tx)]() mutable {
    for (int64_t i = 0; i < 200; ++i)
      while (!sender.try_send(+i).has_value()) std::this_thread::yield();
    {
      auto gone = std::move(sender);
    }
  });
  thread.join();
  auto got = task.wait();
  EXPECT_EQ(got->count, 200);
  EXPECT_TRUE(got->in_order);
}

TEST_P(MpscTest, UnboundedKeepsEverything) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    std::atomic<int> alive{0};
    auto [tx, rx] = sync::mpsc_unbounded<Counted>();
    for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(tx.send(Counted(i, &alive)).has_value());
    EXPECT_EQ(alive.load(), 10'000);
    for (int i = 0; i < 5'000; ++i) {
      auto value = co_await rx.recv();
      CO_ASSERT_OK(value);
      CO_ASSERT(value->value == i);
    }
    EXPECT_EQ(alive.load(), 5'000);
    {
      auto gone = std::move(rx);
    }
    EXPECT_EQ(alive.load(), 0);
    Counted kept(1, &alive);
    EXPECT_FALSE(tx.send(std::move(kept)).has_value());
    EXPECT_FALSE(kept.moved_from());
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(MpscTest, SpscWithLargeMoveOnlyValues) {
  struct Large {
    std::unique_ptr<int> number;
    char padding[600] = {};
  };
  auto outcome = runtime_->block_on([]() -> Task<int64_t> {
    auto [tx, rx] = sync::spsc<Large>(8);
    static_assert(!std::is_copy_constructible_v<decltype(tx)>);
    spawn(
        [](sync::SpscSender<Large> sender) -> Task<void> {
          for (int i = 0; i < 1000; ++i)
            (void)co_await sender.send(Large{std::make_unique<int>(i)});
        },
        std::move(tx))
        .detach();
    int64_t sum = 0;
    while (true) {
      auto value = co_await rx.recv();
      if (!value.has_value()) co_return sum;
      sum += *value->number;
    }
  });
  EXPECT_EQ(*outcome, 499'500);
}

// The pools are back where they were: the fixture looks.
TEST_P(MpscTest, AHundredThousandChannels) {
  auto outcome = runtime_->block_on([]() -> Task<int64_t> {
    constexpr size_t kCount = 100'000;
    std::vector<std::pair<sync::MpscSender<int>, sync::BoundedReceiver<int>>> all;
    for (size_t i = 0; i < kCount; ++i) all.push_back(sync::mpsc<int>(16));
    int64_t sum = 0;
    for (size_t i = 0; i < kCount; i += 3) {
      (void)co_await all[i].first.send(1);
      (void)co_await all[i].first.send(1);
      sum += (co_await all[i].second.recv()).value_or(0);
    }
    co_return sum;
  });
  EXPECT_EQ(*outcome, 33'334);
}

ZOKIO_SYNC_MATRIX(MpscTest);
ZOKIO_SYNC_ONE(MpscOne);

}  // namespace
}  // namespace zokio::test
