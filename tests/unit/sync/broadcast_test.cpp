// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/broadcast.h"

#include <string>

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class BroadcastTest : public Sync {};

struct Heard {
  int64_t received = 0;
  int64_t missed = 0;
  bool in_order = true;
};

Task<Heard> listen(sync::BroadcastReceiver<int64_t> rx) {
  Heard heard;
  int64_t next = 0;
  while (true) {
    auto value = co_await rx.recv();
    if (value.has_value()) {
      if (*value != next) heard.in_order = false;
      next = *value + 1;
      ++heard.received;
    } else if (value.error().missed > 0) {
      heard.missed += static_cast<int64_t>(value.error().missed);
      next += static_cast<int64_t>(value.error().missed);
    } else {
      EXPECT_EQ(value.error().detail, Detail::Closed);
      co_return heard;
    }
  }
}

TEST_P(BroadcastTest, EverybodyGetsEverythingOrIsToldHowMuchNot) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    constexpr int64_t kSent = 20'000;
    auto [tx, rx] = sync::broadcast<int64_t>(64);
    std::vector<JoinHandle<Heard>> listeners;
    for (int i = 0; i < 4; ++i) listeners.push_back(spawn(listen, tx.subscribe()));
    {
      auto gone = std::move(rx);
    }
    EXPECT_EQ(tx.receivers(), 4u);
    for (int64_t i = 0; i < kSent; ++i) {
      EXPECT_TRUE(tx.send(i));
      if (i % 50 == 0 || i % 7000 == 0) co_await yield_now();
    }
    {
      auto gone = std::move(tx);
    }
    for (auto& listener : listeners) {
      auto heard = co_await listener;
      CO_ASSERT_OK(heard);
      EXPECT_EQ(heard->received + heard->missed, kSent);
      EXPECT_GE(heard->received, 64);
      EXPECT_TRUE(heard->in_order);
    }
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(BroadcastTest, LagCloseAndLateSubscribers) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [tx, rx] = sync::broadcast<std::string>(2);
    for (const char* text : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(tx.send(text));
    auto late = tx.subscribe();
    auto lagged = co_await rx.recv();
    EXPECT_EQ(lagged.error().code, Errc::DataLoss);
    EXPECT_EQ(lagged.error().missed, 3u);
    auto copy = rx;
    EXPECT_EQ(*co_await rx.recv(), "d");
    EXPECT_EQ(*co_await copy.recv(), "d");
    EXPECT_EQ(*co_await rx.recv(), "e");
    EXPECT_EQ(rx.try_recv().error().code, Errc::Unavailable);
    EXPECT_EQ(late.try_recv().error().code, Errc::Unavailable);
    EXPECT_TRUE(tx.send("f"));
    EXPECT_EQ(*co_await late.recv(), "f");
    {
      auto gone = std::move(tx);
    }
    EXPECT_EQ(*co_await rx.recv(), "f");
    auto closed = co_await rx.recv();
    EXPECT_EQ(closed.error().detail, Detail::Closed);
    EXPECT_EQ(closed.error().missed, 0u);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(BroadcastTest, WithoutReceivers) {
  auto [tx, rx] = sync::broadcast<std::string>(2);
  EXPECT_TRUE(tx.send("destroyed with the channel"));
  {
    auto gone = std::move(rx);
  }
  EXPECT_FALSE(tx.send("nobody"));
  auto again = tx.subscribe();
  EXPECT_TRUE(tx.send("somebody"));
  EXPECT_EQ(*again.try_recv(), "somebody");
}

TEST_P(BroadcastTest, CancelledReceiveLosesNothing) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    for (int i = 0; i < 500; ++i) {
      auto [tx, rx] = sync::broadcast<int>(4);
      auto waiter = spawn(
          [](sync::BroadcastReceiver<int>* r) -> Task<Result<int>> {
            co_return co_await r->recv();
          },
          &rx);
      if (i % 3 != 0) co_await yield_now();
      auto sender = spawn(
          [](sync::BroadcastSender<int> s) -> Task<void> {
            s.send(5);
            co_return;
          },
          sync::BroadcastSender<int>(tx));
      waiter.cancel();
      auto got = co_await waiter;
      co_await sender;
      if (got.has_value()) continue;
      if (got.error().code != Errc::Cancelled) co_return i;
      auto again = co_await rx.recv();
      if (!again.has_value() || *again != 5) co_return i;
    }
    co_return -1;
  });
  EXPECT_EQ(*outcome, -1);
}

TEST_P(BroadcastTest, FromAForeignThread) {
  auto [tx, rx] = sync::broadcast<int64_t>(16);
  auto task = runtime_->spawn(listen, std::move(rx));
  std::thread thread([sender = std::move(tx)]() mutable {
    for (int64_t i = 0; i < 20'000; ++i) EXPECT_TRUE(sender.send(i));
    {
      auto gone = std::move(sender);
    }
  });
  thread.join();
  auto heard = task.wait();
  EXPECT_EQ(heard->received + heard->missed, 20'000);
  EXPECT_TRUE(heard->in_order);
}

ZOKIO_SYNC_MATRIX(BroadcastTest);

}  // namespace
}  // namespace zokio::test
