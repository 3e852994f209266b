// SPDX-License-Identifier: Apache-2.0
//
// time::Timer and time::Timers: a timer that is cancelled, fires and changes its worker at the same
// time ends exactly once, nobody touches its node after that, and no node is left.
//
// The worker's loop is a few calls of expire() with a time at which everything is due.

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>

#include "model/explorer.h"
#include "time/timers.h"
#include "zokio/task/context.h"
#include "zokio/task/header.h"

namespace zokio::time {
namespace {

using model::Execution;
using model::explore;

// A wheel is large, and so is each execution.
constexpr model::Options kFew{.most = 8'000, .random = 1'000};

constexpr Instant kSoon{2'000'000'000};
constexpr Instant kLater{10'000'000'000};

// Counts the wake-ups of one task.
class Wakes final : public task::Executor {
 public:
  Wakes() { task.group = task::acquire_group(this); }
  ~Wakes() { task::release_group(task.group); }
  void schedule(task::Header*) noexcept override { ++count; }
  bool offload(task::OffloadJob*) noexcept override { return false; }
  void adopt(task::Header*, const char*) noexcept override {}
  void finished(task::Header*, task::Ending) noexcept override {}
  uint64_t id_of(const task::Header*) const noexcept override { return 0; }

  task::Header task;
  unsigned count = 0;
};

void host(Timers* timers) {
  task::context().timers = timers;
}

// The end of every execution: who has timers or mail left works it off.
void settle(std::initializer_list<Timers*> all) {
  for (int i = 0; i < 3; ++i) {
    for (Timers* timers : all) {
      host(timers);
      timers->expire(kLater);
    }
  }
  host(nullptr);
  for (Timers* timers : all) MODEL_CHECK(timers->pending() == 0, "no timer is left");
}

TEST(TimersModel, CancelAgainstFire) {
  EXPECT_HOLDS(explore("timers: cancel and fire", kFew, [](Execution& run) {
    Timers timers;
    Wakes wakes;
    auto timer = std::make_unique<Timer>();
    bool cancelled = false;
    host(&timers);
    timer->arm(kSoon, &wakes.task);
    host(nullptr);
    run.thread("worker", [&] {
      host(&timers);
      timers.expire(kLater);
      timers.expire(kLater);
    });
    run.thread("canceller", [&] {
      cancelled = timer->cancel();
      timer.reset();  // which frees the node of one that fired
    });
    run.go();
    MODEL_CHECK(wakes.count + (cancelled ? 1 : 0) == 1, "one end for each wait");
    settle({&timers});
  }));
}

TEST(TimersModel, ACallbackHasEndedWhenCancelSaysFalse) {
  EXPECT_HOLDS(explore("timers: cancel and callback", kFew, [](Execution& run) {
    Timers timers;
    unsigned called = 0;
    bool cancelled = false;
    auto timer = std::make_unique<Timer>();
    host(&timers);
    timer->arm(kSoon, [](void* arg) noexcept { ++*static_cast<unsigned*>(arg); }, &called);
    host(nullptr);
    run.thread("worker", [&] {
      host(&timers);
      timers.expire(kLater);
      timers.expire(kLater);
    });
    run.thread("canceller", [&] {
      cancelled = timer->cancel();
      if (!cancelled) MODEL_CHECK(called == 1, "it has been called, and is through");
      timer.reset();
    });
    run.go();
    MODEL_CHECK(called + (cancelled ? 1 : 0) == 1, "called once or never");
    settle({&timers});
  }));
}

TEST(TimersModel, HandedOverWhileCancelled) {
  EXPECT_HOLDS(explore("timers: cancel, hand-over and fire", kFew, [](Execution& run) {
    auto from = std::make_unique<Timers>();
    auto to = std::make_unique<Timers>();
    Wakes wakes;
    Timer timer;
    bool cancelled = false;
    host(from.get());
    timer.arm(kSoon, &wakes.task);
    host(nullptr);
    run.thread("retiring", [&] {
      host(from.get());
      from->move_to(*to);
    });
    run.thread("heir", [&] {
      host(to.get());
      to->expire(kLater);
      to->expire(kLater);
    });
    run.thread("canceller", [&] { cancelled = timer.cancel(); });
    run.go();
    settle({to.get()});
    MODEL_CHECK(wakes.count + (cancelled ? 1 : 0) == 1, "one end for each wait");
    MODEL_CHECK(from->pending() == 0, "nothing is left behind");
  }));
}

// Two timers of one worker, each cancelled by a thread of its own, while it retires.
TEST(TimersModel, TwoAreCancelledDuringAHandOver) {
  EXPECT_HOLDS(explore("timers: two cancels and a hand-over", kFew, [](Execution& run) {
    auto from = std::make_unique<Timers>();
    auto to = std::make_unique<Timers>();
    Wakes one, two;
    Timer first, second;
    bool cancelled[2] = {};
    host(from.get());
    first.arm(kSoon, &one.task);
    second.arm(kSoon, &two.task);
    host(nullptr);
    run.thread("retiring", [&] {
      host(from.get());
      from->move_to(*to);
    });
    run.thread("canceller 1", [&] { cancelled[0] = first.cancel(); });
    run.thread("canceller 2", [&] { cancelled[1] = second.cancel(); });
    run.go();
    settle({to.get()});
    MODEL_CHECK(one.count + (cancelled[0] ? 1 : 0) == 1, "one end for each wait");
    MODEL_CHECK(two.count + (cancelled[1] ? 1 : 0) == 1, "one end for each wait");
    MODEL_CHECK(from->pending() == 0, "nothing is left behind");
  }));
}

// A worker that fires while a third hands its timers to it, and a late mail from before.
TEST(TimersModel, ASlotThatIsUsedAgain) {
  EXPECT_HOLDS(explore("timers: retire and start again", kFew, [](Execution& run) {
    auto from = std::make_unique<Timers>();
    auto to = std::make_unique<Timers>();
    Wakes one, two;
    Timer first, second;
    bool cancelled = false;
    host(from.get());
    first.arm(kSoon, &one.task);
    host(nullptr);
    run.thread("retiring", [&] {
      host(from.get());
      from->move_to(*to);
      // The next worker of the slot.
      second.arm(kSoon, &two.task);
      from->expire(kLater);
    });
    run.thread("canceller", [&] { cancelled = first.cancel(); });
    run.go();
    settle({from.get(), to.get()});
    MODEL_CHECK(one.count + (cancelled ? 1 : 0) == 1, "one end for each wait");
    MODEL_CHECK(two.count == 1, "armed after the start");
  }));
}

}  // namespace
}  // namespace zokio::time
