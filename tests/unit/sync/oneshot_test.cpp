// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/oneshot.h"

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class OneshotTest : public Sync {};
class OneshotOne : public SyncOne {};

Task<Result<int>> receive(sync::OneshotReceiver<int> receiver) {
  co_return co_await receiver.recv();
}

TEST_P(OneshotTest, FromAForeignThread) {
  for (int i = 0; i < 100; ++i) {
    auto [sender, receiver] = sync::oneshot<int>();
    std::thread thread([tx = std::move(sender), i]() mutable { tx.send(i); });
    auto got = runtime_->block_on(receive, std::move(receiver));
    thread.join();
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(*got, i);
  }
}

TEST_P(OneshotTest, ClosesWithItsSender) {
  auto [sender, receiver] = sync::oneshot<int>();
  auto task = runtime_->spawn(receive, std::move(receiver));
  {
    auto gone = std::move(sender);
  }
  auto got = task.wait();
  EXPECT_EQ(got.error().code, Errc::Aborted);
  EXPECT_EQ(got.error().detail, Detail::Closed);
}

TEST_P(OneshotTest, TheValueGoesWithWhoeverIsLast) {
  std::atomic<int> alive{0};
  {
    auto [sender, receiver] = sync::oneshot<Counted>();
    EXPECT_TRUE(sender.send(Counted(1, &alive)));
    EXPECT_FALSE(static_cast<bool>(sender));
    EXPECT_EQ(alive.load(), 1);
  }
  EXPECT_EQ(alive.load(), 0);
  auto [sender, receiver] = sync::oneshot<Counted>();
  {
    auto gone = std::move(receiver);
  }
  EXPECT_FALSE(sender.send(Counted(2, &alive)));
  EXPECT_EQ(alive.load(), 0);
}

TEST_P(OneshotTest, ASecondReceiveSaysClosed) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [sender, receiver] = sync::oneshot<int>();
    sender.send(3);
    auto first = co_await receiver;
    CO_ASSERT_OK(first);
    EXPECT_EQ(*first, 3);
    auto second = co_await receiver.recv();
    EXPECT_EQ(second.error().detail, Detail::Closed);
  });
  EXPECT_TRUE(outcome.has_value());
}

// A wait that a cancel ended has lost nothing.
TEST_P(OneshotTest, CancelledReceiveCanBeRepeated) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [sender, receiver] = sync::oneshot<int>();
    std::atomic<int> started{0};
    auto task = spawn(
        [](sync::OneshotReceiver<int>* rx, std::atomic<int>* s) -> Task<Result<int>> {
          s->fetch_add(1);
          co_return co_await rx->recv();
        },
        &receiver, &started);
    co_await until(&started, 1);
    task.cancel();
    auto cut = co_await task;
    EXPECT_EQ(cut.error().code, Errc::Cancelled);
    sender.send(9);
    auto got = co_await receiver.recv();
    CO_ASSERT_OK(got);
    EXPECT_EQ(*got, 9);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(OneshotTest, CancelRacesTheSend) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    int received = 0;
    for (int i = 0; i < 1000; ++i) {
      auto [sender, receiver] = sync::oneshot<int>();
      auto waiter = spawn(receive, std::move(receiver));
      if (i % 3 == 0) co_await yield_now();
      auto send = spawn(
          [](sync::OneshotSender<int> tx) -> Task<void> {
            tx.send(1);
            co_return;
          },
          std::move(sender));
      waiter.cancel();
      auto got = co_await waiter;
      co_await send;
      if (got.has_value())
        ++received;
      else if (got.error().code != Errc::Cancelled)
        co_return fail(got.error());
    }
    co_return received;
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(OneshotTest, SenderAndReceiverGoAtOnce) {
  std::atomic<int> alive{0};
  for (int i = 0; i < 200; ++i) {
    auto [sender, receiver] = sync::oneshot<Counted>();
    std::thread thread([tx = std::move(sender), &alive, i]() mutable {
      if (i % 2 == 0) tx.send(Counted(i, &alive));
    });
    {
      auto gone = std::move(receiver);
    }
    thread.join();
    ASSERT_EQ(alive.load(), 0);
  }
}

// What a task that waits in a oneshot costs: its frame and the shared block.
TEST_P(OneshotOne, BytesOfAParkedTask) {
  constexpr uint64_t kTasks = 1000;
  std::vector<sync::OneshotSender<int>> senders(kTasks);
  static_assert(sizeof(sync::OneshotReceiver<int>) == 16);
  static_assert(sizeof(sync::internal::OneshotState<uint64_t>) == 16);
  auto used = [] { return mem::snapshot(mem::PoolId::Frames).in_use_bytes; };
  uint64_t bytes = 0;
  auto outcome = runtime_->block_on(
      [](std::vector<sync::OneshotSender<int>>* all, auto in_use, uint64_t* out) -> Task<void> {
        std::atomic<int> started{0};
        const uint64_t before = in_use();
        for (auto& one : *all) {
          auto [sender, receiver] = sync::oneshot<int>();
          one = std::move(sender);
          spawn(
              [](std::atomic<int>* counter, sync::OneshotReceiver<int> rx) -> Task<void> {
                counter->fetch_add(1);
                (void)co_await rx.recv();
              },
              &started, std::move(receiver))
              .detach();
        }
        co_await until(&started, static_cast<int>(all->size()));
        *out = (in_use() - before) / all->size();
        for (auto& one : *all) one.send(1);
      },
      &senders, used, &bytes);
  EXPECT_TRUE(outcome.has_value());
  RecordProperty("bytes", static_cast<int>(bytes));
  std::printf("%llu bytes for a task parked on a oneshot\n",
              static_cast<unsigned long long>(bytes));
#ifdef NDEBUG
  EXPECT_LE(bytes, 112u);
#endif
}

// The pools are back where they were: the fixture looks.
TEST_P(OneshotTest, AHundredThousand) {
  auto outcome = runtime_->block_on([]() -> Task<int64_t> {
    constexpr int kCount = 100'000;
    std::vector<std::pair<sync::OneshotSender<int>, sync::OneshotReceiver<int>>> all;
    for (int i = 0; i < kCount; ++i) all.push_back(sync::oneshot<int>());
    for (int i = 0; i < kCount; i += 2) all[static_cast<size_t>(i)].first.send(1);
    int64_t sum = 0;
    for (int i = 0; i < kCount; i += 4)
      sum += (co_await all[static_cast<size_t>(i)].second.recv()).value_or(0);
    co_return sum;
  });
  EXPECT_EQ(*outcome, 25'000);
}

ZOKIO_SYNC_MATRIX(OneshotTest);
ZOKIO_SYNC_ONE(OneshotOne);

}  // namespace
}  // namespace zokio::test
