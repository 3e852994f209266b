// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <vector>

#include "runtime_fixture.h"
#include "zokio/sync/event.h"
#include "zokio/sync/oneshot.h"
#include "zokio/sync/semaphore.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Sync = test::RuntimeTest;

Task<Result<int>> receive(sync::OneshotReceiver<int> receiver) {
  co_return co_await receiver.recv();
}

TEST_P(Sync, OneshotFromAForeignThread) {
  for (int i = 0; i < 200; ++i) {
    auto [sender, receiver] = sync::oneshot<int>();
    std::thread thread([tx = std::move(sender), i]() mutable { tx.send(i); });
    auto got = runtime_->block_on(receive, std::move(receiver));
    thread.join();
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(*got, i);
  }
}

TEST_P(Sync, OneshotClosesWithItsSender) {
  auto [sender, receiver] = sync::oneshot<int>();
  {
    auto gone = std::move(sender);
  }
  auto got = runtime_->block_on(receive, std::move(receiver));
  EXPECT_EQ(got.error().code, Errc::Aborted);
  EXPECT_EQ(got.error().detail, Detail::Closed);
}

TEST_P(Sync, OneshotCancelRacesTheSend) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    int received = 0;
    for (int i = 0; i < 500; ++i) {
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

TEST_P(Sync, EventWakesEverybodyAndStaysSet) {
  auto outcome = runtime_->block_on([]() -> Task<Result<void>> {
    sync::Event event;
    std::vector<JoinHandle<Result<void>>> waiters;
    for (int i = 0; i < 100; ++i)
      waiters.push_back(spawn(
          [](sync::Event* e) -> Task<Result<void>> { co_return co_await e->wait(); }, &event));
    co_await sleep(1ms);
    event.set();
    for (auto& waiter : waiters) ZOKIO_CO_CHECKED(co_await waiter);
    co_return co_await event.wait();
  });
  EXPECT_TRUE(outcome.has_value());
}

// A waiter that resets the event as soon as it is woken must not be woken again by the same set().
TEST_P(Sync, EventThatIsReusedWakesOncePerSet) {
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
  constexpr int kRounds = 20'000;
  auto loop = std::make_unique<Loop>();
  auto task = runtime_->spawn(&Loop::run, loop.get(), kRounds);
  for (int set = 1; set <= kRounds; ++set) {
    loop->event.set();
    ASSERT_TRUE(test::eventually([&] { return loop->woken.load() >= set; }));
    ASSERT_EQ(loop->woken.load(), set);
  }
  EXPECT_TRUE(test::eventually([&] { return task.finished(); }));
}

TEST_P(Sync, SemaphoreNeverLetsMoreThanItsPermitsIn) {
  struct Gate {
    sync::Semaphore semaphore{3};
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    static Task<Result<void>> enter(Gate* gate) {
      for (int i = 0; i < 20; ++i) {
        ZOKIO_CO_TRY(auto permit, co_await gate->semaphore.acquire());
        const int now = gate->inside.fetch_add(1) + 1;
        int most = gate->most.load();
        while (now > most && !gate->most.compare_exchange_weak(most, now)) {
        }
        co_await yield_now();
        gate->inside.fetch_sub(1);
      }
      co_return {};
    }
  };
  auto gate = std::make_unique<Gate>();
  auto outcome = runtime_->block_on(
      [](Gate* g) -> Task<Result<void>> {
        std::vector<JoinHandle<Result<void>>> tasks;
        for (int i = 0; i < 50; ++i) tasks.push_back(spawn(&Gate::enter, g));
        for (auto& task : tasks) ZOKIO_CO_CHECKED(co_await task);
        co_return {};
      },
      gate.get());
  EXPECT_TRUE(outcome.has_value());
  EXPECT_LE(gate->most.load(), 3);
  EXPECT_GE(gate->most.load(), 1);
}

TEST_P(Sync, SemaphoreDebtIsPaidByReleases) {
  auto outcome = runtime_->block_on([]() -> Task<Result<bool>> {
    sync::Semaphore semaphore(2);
    ZOKIO_CO_TRY(auto one, co_await semaphore.acquire());
    ZOKIO_CO_TRY(auto two, co_await semaphore.acquire());
    semaphore.add_permits(-1);
    auto third = spawn(
        [](sync::Semaphore* s) -> Task<Result<void>> {
          ZOKIO_CO_TRY(auto permit, co_await s->acquire());
          co_return {};
        },
        &semaphore);
    one.drop();  // pays the debt
    co_await sleep(2ms);
    const bool early = third.finished();
    two.drop();
    ZOKIO_CO_CHECKED(co_await third);
    co_return early;
  });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(*outcome);
}

ZOKIO_RUNTIME_MATRIX(Sync);

}  // namespace
}  // namespace zokio
