// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/event.h"

#include "sync_fixture.h"
#include "zokio/sync/latch.h"

namespace zokio::test {
namespace {

class EventTest : public Sync {};

Task<Result<void>> wait_for(sync::Event* event, std::atomic<int>* started) {
  started->fetch_add(1);
  co_return co_await event->wait();
}

TEST_P(EventTest, WakesEverybodyAndStaysSet) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    sync::Event event;
    std::atomic<int> started{0};
    std::vector<JoinHandle<Result<void>>> waiters;
    for (int i = 0; i < 100; ++i) waiters.push_back(spawn(wait_for, &event, &started));
    co_await until(&started, 100);
    EXPECT_FALSE(event.is_set());
    event.set();
    EXPECT_TRUE(event.is_set());
    for (auto& waiter : waiters) ZOKIO_CO_CHECKED(co_await waiter);
    ZOKIO_CO_CHECKED(co_await event.wait());
    event.reset();
    EXPECT_FALSE(event.is_set());
    co_return {};
  });
  EXPECT_TRUE(outcome.has_value());
}

// A waiter that resets the event as soon as it is woken must not be woken again by the same set().
TEST_P(EventTest, ReusedWakesOncePerSet) {
  struct Loop {
    sync::Event event;
    std::atomic<int> woken{0};
    static Task<void> run(Loop* loop, int rounds) {
      while (loop->woken.load() < rounds) {
        Result<void> got = co_await loop->event.wait();
        if (!got.has_value()) co_return;
        loop->event.reset();
        loop->woken.fetch_add(1);
      }
    }
  };
  constexpr int kRounds = 1000;
  auto loop = std::make_unique<Loop>();
  auto task = runtime_->spawn(&Loop::run, loop.get(), kRounds);
  for (int set = 1; set <= kRounds; ++set) {
    loop->event.set();
    ASSERT_TRUE(eventually([&] { return loop->woken.load() >= set; }));
    ASSERT_EQ(loop->woken.load(), set);
  }
  EXPECT_TRUE(eventually([&] { return task.finished(); }));
}

TEST_P(EventTest, CancelTakesOneWaiterOutOfTheMiddle) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    sync::Event event;
    std::atomic<int> started{0};
    std::vector<JoinHandle<Result<void>>> waiters;
    for (int i = 0; i < 9; ++i) waiters.push_back(spawn(wait_for, &event, &started));
    co_await until(&started, 9);
    for (size_t i = 0; i < waiters.size(); i += 2) waiters[i].cancel();
    for (size_t i = 0; i < waiters.size(); i += 2) {
      auto ended = co_await waiters[i];
      EXPECT_EQ(ended.error().code, Errc::Cancelled);
    }
    event.set();
    for (size_t i = 1; i < waiters.size(); i += 2) ZOKIO_CO_CHECKED(co_await waiters[i]);
    co_return {};
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(EventTest, SetRacesCancel) {
  for (int i = 0; i < 150; ++i) {
    sync::Event event;
    auto task = runtime_->spawn(
        [](sync::Event* e) -> Task<Result<void>> { co_return co_await e->wait(); }, &event);
    std::thread setter([&] { event.set(); });
    task.cancel();
    auto ended = task.wait();
    setter.join();
    ASSERT_TRUE(ended.has_value() || ended.error().code == Errc::Cancelled);
  }
}

// An operation that is always ready lets the others run.
TEST_P(EventTest, ReadyWaitsGiveTurns) {
  auto outcome = runtime_->block_on([]() -> Task<bool> {
    sync::Event event;
    event.set();
    std::atomic<bool> ran{false};
    auto other = spawn(
        [](std::atomic<bool>* flag) -> Task<void> {
          flag->store(true);
          co_return;
        },
        &ran);
    for (int64_t i = 0; i < 100'000'000 && !ran.load(); ++i) (void)co_await event.wait();
    const bool seen = ran.load();
    co_await other;
    co_return seen;
  });
  EXPECT_TRUE(*outcome);
}

TEST_P(EventTest, LatchOpensAtZero) {
  sync::Latch latch(1000);
  auto waiter = runtime_->spawn(
      [](sync::Latch* l) -> Task<Result<void>> { co_return co_await l->wait(); }, &latch);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 111; ++k) latch.count_down(3);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(latch.done());
  latch.count_down();
  EXPECT_TRUE(waiter.wait().has_value());
  EXPECT_TRUE(latch.done());
  sync::Latch open(0);
  EXPECT_TRUE(open.done());
}

ZOKIO_SYNC_MATRIX(EventTest);

}  // namespace
}  // namespace zokio::test
