// SPDX-License-Identifier: Apache-2.0
//
// The primitives whose whole state is one word (sync/waiter.h): a mutex excludes, a semaphore
// counts, an event and a notify are not missed, all while tasks on two workers come, wait and are
// cancelled.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/workers.h"
#include "zokio/sync/event.h"
#include "zokio/sync/mutex.h"
#include "zokio/sync/notify.h"
#include "zokio/sync/semaphore.h"

namespace zokio::sync {
namespace {

using model::Execution;
using model::explore;
using model::Options;
using model::Workers;

constexpr Options kFew{.most = 30'000, .random = 3'000};

Task<void> add_under(Mutex* mutex, unsigned* sum) {
  auto guard = co_await mutex->lock();
  if (guard.has_value()) ++*sum;
}

TEST(SyncModel, AMutexExcludes) {
  EXPECT_HOLDS(explore("mutex: three tasks", kFew, [](Execution& run) {
    Workers workers;
    Mutex mutex;
    unsigned sum = 0;  // plain: two at once are a race
    for (int i = 0; i < 3; ++i) workers.spawn(add_under, &mutex, &sum).detach();
    workers.start(run, 2);
    run.go();
    MODEL_CHECK(sum == 3, "each had its turn");
    MODEL_CHECK(static_cast<bool>(mutex.try_lock()), "it is free");
  }));
}

TEST(SyncModel, AMutexAndACancel) {
  EXPECT_HOLDS(explore("mutex: lock and cancel", kFew, [](Execution& run) {
    Workers workers;
    Mutex mutex;
    unsigned sum = 0;
    workers.spawn(add_under, &mutex, &sum).detach();
    auto second = workers.spawn(add_under, &mutex, &sum);
    workers.start(run, 2);
    run.thread("canceller", [&] { second.cancel(); });
    run.go();
    MODEL_CHECK(sum == 1 || sum == 2, "the first, at least");
    MODEL_CHECK(static_cast<bool>(mutex.try_lock()), "it is free");
  }));
}

Task<void> take(Semaphore* semaphore, int64_t count, unsigned* taken) {
  auto permit = co_await semaphore->acquire(count);
  if (permit.has_value()) ++*taken;
}

TEST(SyncModel, ASemaphoreCounts) {
  EXPECT_HOLDS(explore("semaphore: acquire, release and cancel", kFew, [](Execution& run) {
    Workers workers;
    Semaphore semaphore(1);
    unsigned one = 0, two = 0;
    workers.spawn(take, &semaphore, int64_t{2}, &two).detach();
    auto cancelled = workers.spawn(take, &semaphore, int64_t{1}, &one);
    workers.start(run, 2);
    run.thread("canceller", [&] {
      cancelled.cancel();
      semaphore.release();
    });
    run.go();
    MODEL_CHECK(two == 1, "two permits for who wanted two");
    MODEL_CHECK(static_cast<bool>(semaphore.try_acquire(2)), "both came back");
    MODEL_CHECK(!static_cast<bool>(semaphore.try_acquire(3)), "and no more");
  }));
}

Task<void> wait_for(Event* event, const unsigned* data, unsigned* out) {
  auto set = co_await event->wait();
  *out = set.has_value() ? *data : 99;
}

TEST(SyncModel, AnEventIsNotMissed) {
  EXPECT_HOLDS(explore("event: two wait, one sets", kFew, [](Execution& run) {
    Workers workers;
    Event event;
    unsigned data = 0, out[2] = {};
    workers.spawn(wait_for, &event, &data, &out[0]).detach();
    workers.spawn(wait_for, &event, &data, &out[1]).detach();
    workers.start(run, 2);
    run.thread("setter", [&] {
      data = 7;
      event.set();
    });
    run.go();
    MODEL_CHECK(out[0] == 7 && out[1] == 7, "both see what was before set()");
  }));
}

Task<void> wait_for_flag(Notify* notify, Atomic<unsigned>* flag) {
  while (flag->load(std::memory_order_acquire) == 0) {
    auto woken = co_await notify->wait();
    if (!woken.has_value()) break;
  }
}

TEST(SyncModel, ANotificationIsNotMissed) {
  EXPECT_HOLDS(explore("notify: look, then wait", {}, [](Execution& run) {
    Workers workers;
    Notify notify;
    Atomic<unsigned> flag{0};
    workers.spawn(wait_for_flag, &notify, &flag).detach();
    workers.start(run);
    run.thread("notifier", [&] {
      flag.store(1, std::memory_order_release);
      notify.notify_one();
    });
    run.go();
  }));
}

Task<void> answer(Notify* ping, Notify* pong, unsigned* answered) {
  const auto asked = co_await ping->wait();
  if (!asked.has_value()) co_return;
  ++*answered;
  pong->notify_one();
}

Task<void> ask(Notify* ping, Notify* pong, unsigned* heard) {
  ping->notify_one();
  const auto answered = co_await pong->wait();
  if (answered.has_value()) ++*heard;
}

// The worker goes from who waits straight on with whom it has woken (task/switch.h).
TEST(SyncModel, APairTakesTurns) {
  EXPECT_HOLDS(explore("notify: two tasks of one worker, and a cancel", {}, [](Execution& run) {
    Workers workers(/*keeps_newest=*/true);
    Notify ping, pong;
    unsigned answered = 0, heard = 0;
    workers.spawn(answer, &ping, &pong, &answered).detach();
    auto asking = workers.spawn(ask, &ping, &pong, &heard);
    workers.start(run);
    run.thread("canceller", [&] { asking.cancel(); });
    run.go();
    MODEL_CHECK(answered == 1, "asked once");
    MODEL_CHECK(heard <= 1, "answered once");
  }));
}

}  // namespace
}  // namespace zokio::sync
