// SPDX-License-Identifier: Apache-2.0
//
// Whole workers: the loop of sched::Worker with its queues, its sleep and its end, on two threads,
// while a third hands in tasks from outside and then stops the scheduler. Every task runs, whoever
// falls asleep when, and what a retiring worker holds goes on elsewhere. A lost wake-up is a
// deadlock here; there is no watchdog that could hide one.
//
// One execution is some 300 steps, so the search does not get far; the random ones do.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "sched/scheduler.h"
#include "zokio/mem/pools.h"
#include "zokio/mem/thread_cache.h"
#include "zokio/spawn.h"

// Workers without a memory cache: it has a model of its own. And no watchdog that looks after it.
namespace zokio::mem {
ThreadCache* acquire_thread_cache() noexcept {
  return nullptr;
}
void release_thread_cache(ThreadCache*) noexcept {}
void set_current_cache(ThreadCache*) noexcept {}
void park_thread_cache(ThreadCache*) noexcept {}
void unpark_thread_cache(ThreadCache*) noexcept {}
void drain_parked_cache(ThreadCache*) noexcept {}
Instant tend(Instant) noexcept {
  return Instant::never();
}
}  // namespace zokio::mem

namespace zokio::sched {
namespace {

using model::Execution;
using model::explore;

constexpr model::Options kLong{
    .preemptions = 1, .stale = 1, .spurious = 0, .most = 1'500, .random = 1'500};

// Polls between a request to retire and its effect: an interval of maintenance, and what was seen
// late.
constexpr unsigned kPollsUntilRetired = kMaintainPolls + 3;
static_assert(kMaintainPolls == 2, "a model's interval");

// What Worker::run_thread does, without its figures and its spinning.
void work(Worker& worker) {
  unsigned late = 0;
  if (!worker.sleep(Instant::never())) return;
  worker.enter();
  worker.awake();
  while (true) {
    const bool asked = worker.state() == WorkerState::Retiring;
    const Worker::Step step = worker.step();
    if (step == Worker::Step::Ran) {
      if (asked) MODEL_CHECK(++late <= kPollsUntilRetired, "a backlog does not hide a retirement");
      continue;
    }
    late = 0;
    const bool retires = step == Worker::Step::Retire;
    retires ? worker.end() : worker.fall_asleep();
    if (!worker.sleep(retires ? Instant::never() : worker.sleep_until())) break;
    worker.awake();
  }
  worker.quit();
}

Task<void> count(unsigned* times) {
  ++*times;
  co_return;
}

Task<void> yields(unsigned* times) {
  co_await yield_now();
  ++*times;
}

Task<void> yields_often(unsigned* times) {
  for (unsigned i = 0; i < 3 * kPollsUntilRetired; ++i) co_await yield_now();
  ++*times;
}

Task<void> spawns(unsigned* times) {
  auto one = zokio::spawn(count, &times[1]);
  auto two = zokio::spawn(yields, &times[2]);
  ++times[0];
  co_await one;
  co_await two;
}

void hire(Scheduler& scheduler, unsigned workers) {
  MODEL_CHECK(scheduler.grow(workers).has_value(), "no faults, no failure");
}

TEST(SchedulerModel, TasksFromOutside) {
  EXPECT_HOLDS(explore("scheduler: two workers, two tasks from outside", kLong, [](Execution& run) {
    Scheduler scheduler({}, nullptr);
    unsigned times[2] = {};
    hire(scheduler, 2);
    run.thread("worker 0", [&] { work(*scheduler.slot(0)); });
    run.thread("worker 1", [&] { work(*scheduler.slot(1)); });
    run.thread("outside", [&] {
      auto one = internal::spawn_on(scheduler, "", count, &times[0]);
      auto two = internal::spawn_on(scheduler, "", yields, &times[1]);
      static_cast<void>(one.wait());
      static_cast<void>(two.wait());
      scheduler.stop();
    });
    run.go();
    MODEL_CHECK(times[0] == 1 && times[1] == 1, "each task runs once");
  }));
}

TEST(SchedulerModel, ATaskSpawns) {
  EXPECT_HOLDS(explore("scheduler: two workers, a task that spawns", kLong, [](Execution& run) {
    Scheduler scheduler({}, nullptr);
    unsigned times[3] = {};
    hire(scheduler, 2);
    run.thread("worker 0", [&] { work(*scheduler.slot(0)); });
    run.thread("worker 1", [&] { work(*scheduler.slot(1)); });
    run.thread("outside", [&] {
      static_cast<void>(internal::spawn_on(scheduler, "", spawns, &times[0]).wait());
      scheduler.stop();
    });
    run.go();
    MODEL_CHECK(times[0] == 1 && times[1] == 1 && times[2] == 1, "each task runs once");
  }));
}

TEST(SchedulerModel, AWorkerRetires) {
  EXPECT_HOLDS(explore("scheduler: a worker retires under work", kLong, [](Execution& run) {
    Scheduler scheduler({}, nullptr);
    unsigned times[3] = {};
    hire(scheduler, 2);
    run.thread("worker 0", [&] { work(*scheduler.slot(0)); });
    run.thread("worker 1", [&] { work(*scheduler.slot(1)); });
    run.thread("outside", [&] {
      auto handle = internal::spawn_on(scheduler, "", spawns, &times[0]);
      MODEL_CHECK(!scheduler.shrink(1, Instant::never()).stalled, "nothing holds it");
      static_cast<void>(handle.wait());
      scheduler.stop();
    });
    run.go();
    MODEL_CHECK(times[0] == 1 && times[1] == 1 && times[2] == 1, "each task runs once");
  }));
}

// The last slot retires while its queue is never empty.
TEST(SchedulerModel, AWorkerRetiresUnderABacklog) {
  EXPECT_HOLDS(explore("scheduler: a worker with a backlog retires", kLong, [](Execution& run) {
    Scheduler scheduler({}, nullptr);
    unsigned times[1] = {};
    hire(scheduler, 2);
    auto handle = internal::spawn_on(scheduler, "", yields_often, &times[0]);
    run.thread("worker 1", [&] { work(*scheduler.slot(1)); });
    run.thread("worker 0", [&] { work(*scheduler.slot(0)); });
    run.thread("outside", [&] {
      MODEL_CHECK(!scheduler.shrink(1, Instant::never()).stalled, "nothing holds it");
      static_cast<void>(handle.wait());
      scheduler.stop();
    });
    run.go();
    MODEL_CHECK(times[0] == 1, "the task goes on elsewhere");
  }));
}

// The set shrinks while a worker may be asleep, about to be, or about to be woken, and grows again
// on the same threads. That the strand holds one that wakes up meanwhile loses no task and no
// wake-up, and the slot works as before.
constexpr model::Options kLonger{
    .preemptions = 1, .stale = 1, .spurious = 0, .most = 1'500, .random = 1'500, .steps = 10'000};

TEST(SchedulerModel, AWorkerComesBack) {
  EXPECT_HOLDS(explore("scheduler: a worker retires and comes back", kLonger, [](Execution& run) {
    Scheduler scheduler({}, nullptr);
    unsigned times[2] = {};
    hire(scheduler, 2);
    run.thread("worker 0", [&] { work(*scheduler.slot(0)); });
    run.thread("worker 1", [&] { work(*scheduler.slot(1)); });
    run.thread("control", [&] {
      auto first = internal::spawn_on(scheduler, "", yields, &times[0]);
      MODEL_CHECK(!scheduler.shrink(1, Instant::never()).stalled, "nothing holds it");
      MODEL_CHECK(scheduler.kept_threads() == 1, "its thread waits");
      hire(scheduler, 2);
      MODEL_CHECK(scheduler.kept_threads() == 0, "and is used");
      auto second = internal::spawn_on(scheduler, "", count, &times[1]);
      static_cast<void>(first.wait());
      static_cast<void>(second.wait());
      scheduler.stop();
    });
    run.go();
    for (unsigned n : times) MODEL_CHECK(n == 1, "each task runs once");
    MODEL_CHECK(scheduler.idle().searching() == 0 && scheduler.idle().sleeping() == 0,
                "nobody is left in the set");
  }));
}

}  // namespace
}  // namespace zokio::sched
