// SPDX-License-Identifier: Apache-2.0
//
// sched::Idle and sched::Parker: a task that is made ready is run, whoever is just falling asleep.
//
// The workers here do what Worker::step, fall_asleep and awake do with queue, idle set and parker,
// in that order; the producers do what Scheduler::schedule does. A lost wake-up is a deadlock.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "sched/bag_queue.h"
#include "sched/idle.h"
#include "sched/local_queue.h"
#include "sched/parker.h"

namespace zokio::sched {
namespace {

using model::Execution;
using model::explore;
using model::Options;

constexpr unsigned kTasks = 2;

struct Pool {
  explicit Pool(unsigned n) : workers(n) {}

  void wake_one() {
    Rng rng;
    const uint32_t worker = idle.worker_to_wake(rng);
    if (worker != Idle::kNobody) parkers[worker].unpark();
  }
  // Scheduler::schedule from a foreign thread, and from a worker.
  void inject_task(unsigned i) {
    injector.push(&tasks[i]);
    wake_one();
  }
  void push_local(unsigned worker, unsigned i) {
    queues[worker].push(&tasks[i], injector);
    wake_one();
  }

  bool has_work() {
    if (!injector.empty()) return true;
    for (unsigned i = 0; i < workers; ++i)
      if (!queues[i].empty()) return true;
    return false;
  }

  task::Header* search(unsigned self, bool& searching) {
    if (!searching) searching = idle.start_searching(workers);
    if (!searching) return nullptr;
    for (unsigned i = 0; i < workers; ++i) {
      if (i == self) continue;
      if (task::Header* task = queues[i].steal_into(queues[self]).first) return task;
    }
    return injector.take_one();
  }

  void run(unsigned self, task::Header* task) {
    const auto i = static_cast<unsigned>(task - tasks);
    ++taken[i];
    if (i == 0 && spawns) push_local(self, 1);
    if (done.fetch_add(1, std::memory_order_acq_rel) + 1 < expected) return;
    stop.store(true, std::memory_order_release);
    for (unsigned other = 0; other < workers; ++other) parkers[other].unpark();
  }

  void work(unsigned self) {
    bool searching = false;
    while (!stop.load(std::memory_order_acquire)) {
      task::Header* task = queues[self].pop();
      if (task == nullptr) task = injector.take_one();
      if (task == nullptr) task = search(self, searching);
      if (task != nullptr) {
        if (std::exchange(searching, false) && idle.stop_searching()) wake_one();
        run(self, task);
        continue;
      }
      idle.go_to_sleep(self, std::exchange(searching, false));
      if (has_work()) wake_one();
      parkers[self].park(Instant::never());
      searching = idle.wake_up(self);
    }
    // Whoever ends while it searches hands the search over, as a retiring worker does.
    if (searching && idle.stop_searching()) wake_one();
  }

  void check() {
    for (unsigned i = 0; i < expected; ++i) MODEL_CHECK(taken[i] == 1, "each task is run once");
    MODEL_CHECK(idle.searching() == 0 && idle.sleeping() == 0, "nobody is left in the set");
  }

  const unsigned workers;
  Idle idle;
  BagQueue injector;
  LocalQueue queues[3];
  Parker parkers[3];
  task::Header tasks[kTasks];
  unsigned taken[kTasks] = {};
  bool spawns = false;
  unsigned expected = 1;
  Atomic<unsigned> done{0};
  Atomic<bool> stop{false};
};

TEST(IdleModel, OneWorkerOneTask) {
  EXPECT_HOLDS(explore("idle: a worker falls asleep, a task comes in", {}, [](Execution& run) {
    Pool pool(1);
    run.thread("worker", [&] { pool.work(0); });
    run.thread("producer", [&] { pool.inject_task(0); });
    run.go();
    pool.check();
  }));
}

TEST(IdleModel, TwoWorkersOneTask) {
  EXPECT_HOLDS(explore("idle: two workers, a task comes in", {}, [](Execution& run) {
    Pool pool(2);
    run.thread("worker 0", [&] { pool.work(0); });
    run.thread("worker 1", [&] { pool.work(1); });
    run.thread("producer", [&] { pool.inject_task(0); });
    run.go();
    pool.check();
  }));
}

TEST(IdleModel, TwoTasksFromTwoThreads) {
  EXPECT_HOLDS(explore("idle: a worker, two producers", {}, [](Execution& run) {
    Pool pool(1);
    pool.expected = 2;
    run.thread("worker", [&] { pool.work(0); });
    run.thread("producer 1", [&] { pool.inject_task(0); });
    run.thread("producer 2", [&] { pool.inject_task(1); });
    run.go();
    pool.check();
  }));
}

// The first task pushes another one to its worker's own queue and works on: the other may sleep.
TEST(IdleModel, ATaskSpawnsAnother) {
  EXPECT_HOLDS(explore("idle: two workers, a task that spawns", {}, [](Execution& run) {
    Pool pool(2);
    pool.expected = 2;
    pool.spawns = true;
    pool.injector.push(&pool.tasks[0]);
    run.thread("worker 0", [&] { pool.work(0); });
    run.thread("worker 1", [&] { pool.work(1); });
    run.go();
    pool.check();
  }));
}

TEST(ParkerModel, AWakeUpBeforeTheSleepIsKept) {
  EXPECT_HOLDS(explore("parker: park and unpark", {}, [](Execution& run) {
    Parker parker;
    Atomic<unsigned> word{0};
    run.thread("sleeper", [&] {
      while (word.load(std::memory_order_relaxed) < 2) parker.park(Instant::never());
    });
    run.thread("waker 1", [&] {
      word.fetch_add(1, std::memory_order_relaxed);
      parker.unpark();
    });
    run.thread("waker 2", [&] {
      word.fetch_add(1, std::memory_order_relaxed);
      parker.unpark();
    });
    run.go();
  }));
}

// Worker::sleep and retire_asleep. What a sleeper owns is the holder's until it lets go, also when
// a wake-up or the deadline comes in between; and a wake-up for which the sleeper was chosen
// already is not lost.
struct Held {
  void sleep() {
    idle.go_to_sleep(0, false);
    while (true) {
      parker.park(Instant::never());
      while (retired.load(std::memory_order_acquire)) {
        if (over.load(std::memory_order_acquire)) return;
        parker.park(Instant::never());
      }
      ++owned;
      if (idle.wake_up(0)) {
        static_cast<void>(idle.stop_searching());
        return;
      }
      if (over.load(std::memory_order_acquire)) return;
      idle.go_to_sleep(0, false);
    }
  }
  void retire() {
    if (!parker.hold()) return;
    if (idle.wake_up(0)) return parker.let_go(true);
    ++owned;
    retired.store(true, std::memory_order_release);
    parker.let_go(false);
    end();
  }
  void wake() {
    Rng rng;
    idle.worker_to_wake(rng) != Idle::kNobody ? parker.unpark() : end();
  }
  void end() {
    over.store(true, std::memory_order_release);
    parker.unpark();
  }

  Parker parker;
  Idle idle;
  unsigned owned = 0;  // by whom, the race detector finds out
  Atomic<bool> retired{false};
  Atomic<bool> over{false};
};

TEST(ParkerModel, AHeldSleeperStays) {
  const Options options{.spurious = 1};
  EXPECT_HOLDS(explore("parker: hold against unpark", options, [](Execution& run) {
    Held held;
    run.thread("sleeper", [&] { held.sleep(); });
    run.thread("strand", [&] { held.retire(); });
    run.thread("waker", [&] { held.wake(); });
    run.go();
    MODEL_CHECK(held.idle.searching() == 0, "whoever was chosen was woken");
  }));
}

}  // namespace
}  // namespace zokio::sched
