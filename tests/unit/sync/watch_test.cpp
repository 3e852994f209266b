// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/watch.h"

#include <string>

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class WatchTest : public Sync {};

// Follows until the end; the last value it saw, or -1 when it ever went back.
Task<int64_t> follow(sync::WatchReceiver<int64_t> rx) {
  int64_t last = 0;
  while (true) {
    auto changed = co_await rx.changed();
    if (!changed.has_value()) {
      EXPECT_EQ(changed.error().detail, Detail::Closed);
      co_return last;
    }
    const int64_t now = rx.borrow();
    if (now < last) co_return -1;
    last = now;
  }
}

TEST_P(WatchTest, EverybodySeesTheLast) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [tx, rx] = sync::watch<int64_t>(0);
    std::vector<JoinHandle<int64_t>> followers;
    for (int i = 0; i < 5; ++i) followers.push_back(spawn(follow, tx.subscribe()));
    for (int64_t i = 1; i <= 5000; ++i) {
      tx.send(i);
      if (i % 10 == 0) co_await yield_now();
    }
    {
      auto gone = std::move(tx);
    }
    for (auto& follower : followers) EXPECT_EQ(*co_await follower, 5000);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(WatchTest, SeenAndNotSeen) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    auto [tx, rx] = sync::watch<std::string>("first");
    EXPECT_FALSE(rx.has_changed());
    EXPECT_EQ(rx.borrow(), "first");
    tx.send("second");
    tx.send("third");
    EXPECT_EQ(rx.borrow(), "third");
    EXPECT_TRUE(rx.has_changed());
    auto copy = rx;
    EXPECT_EQ(rx.borrow_and_update(), "third");
    EXPECT_FALSE(rx.has_changed());
    EXPECT_TRUE((co_await copy.changed()).has_value());
    EXPECT_FALSE(copy.has_changed());
    tx.send("fourth");
    {
      auto gone = std::move(tx);
    }
    EXPECT_TRUE((co_await rx.changed()).has_value());
    EXPECT_EQ(rx.borrow(), "fourth");
    EXPECT_EQ((co_await rx.changed()).error().detail, Detail::Closed);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(WatchTest, CancelledAndFromAForeignThread) {
  for (int i = 0; i < 100; ++i) {
    auto [tx, rx] = sync::watch<int>(0);
    auto task = runtime_->spawn(
        [](sync::WatchReceiver<int>* r) -> Task<Result<void>> { co_return co_await r->changed(); },
        &rx);
    std::thread thread([&sender = tx] { sender.send(7); });
    task.cancel();
    auto ended = task.wait();
    thread.join();
    if (!ended.has_value()) {
      EXPECT_EQ(ended.error().code, Errc::Cancelled);
      EXPECT_TRUE(rx.has_changed());
    }
    EXPECT_EQ(rx.borrow(), 7);
  }
}

ZOKIO_SYNC_MATRIX(WatchTest);

}  // namespace
}  // namespace zokio::test
