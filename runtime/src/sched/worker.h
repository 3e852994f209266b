// SPDX-License-Identifier: Apache-2.0
#pragma once

// One worker slot: queue, timers, sleep and figures. Made when first used, never freed before the
// scheduler, so that others may look at it at any time.
//
//   Empty -> Parked <-> Running            start(), the loop
//            Running -> Retiring -> Empty  ask_to_retire(): tested before every pop
//
// A slot keeps its thread when it retires, asleep, with an empty memory cache and nothing else:
// making threads and ending them, with their stacks and mappings, is what a resize would cost the
// others. The control strand ends those that are not used again (Scheduler::end_kept_thread).

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/env.h"
#include "os/spin_budget.h"
#include "sched/bag_queue.h"
#include "sched/group_clock.h"
#include "sched/limits.h"
#include "sched/local_queue.h"
#include "sched/parker.h"
#include "sched/stats.h"
#include "sched/thread_view.h"
#include "sched/trace.h"
#include "time/timers.h"
#include "zokio/base/result.h"
#include "zokio/stats/snapshot.h"
#include "zokio/task/context.h"
#include "zokio/task/fork.h"

namespace zokio::mem {
class ThreadCache;
}

namespace zokio::sched {

class Group;
class Scheduler;

class Worker final : public task::ForkHost, Pinned {
 public:
  Worker(Scheduler& scheduler, uint32_t slot, uint64_t seed);

  // Control side. Thread: the control strand. ---------------------------------------------------

  // Begins with the slot as a worker that sleeps, on the thread that it kept or on a new one.
  // Requires: Empty. ResourceExhausted when the system has no thread to give.
  Result<void> start();
  // Instead of start(): the caller runs the loop itself, with the calls below, always by the same
  // thread. Tasks run in the order they became ready. Requires: Empty.
  void seat() noexcept;
  // Asks the worker to hand everything over to `heir` (null: nobody, the scheduler stops) and end.
  void ask_to_retire(Worker* heir) noexcept;
  // Does that for a worker that sleeps, without waking it. False: it does not, ask it.
  bool retire_asleep(Worker* heir) noexcept;
  // Ends the thread that a retired worker kept.
  void end_thread() noexcept;
  // When it retired last.
  Instant retired_at() const noexcept { return retired_at_; }
  // Whether the slot keeps a thread that does nothing. Thread: any.
  bool keeps_thread() const noexcept {
    return has_thread_.load(std::memory_order_relaxed) && state() == WorkerState::Empty;
  }
  // Waits for its end. False when it is still inside one task at the deadline.
  bool join_by(Instant deadline) noexcept;

  enum class ReactorOrder : uint32_t { None, Open, Retire };
  // Opens or gives up the reactor of this slot, on the worker's thread.
  void order_reactor(ReactorOrder order) noexcept;
  // Waits until the order was carried out. Stalled: an operation is still in flight, the order
  // stands.
  Result<void> reactor_order_by(Instant deadline) noexcept;
  bool has_reactor() const noexcept { return has_reactor_.load(std::memory_order_acquire); }

  // The loop. Thread: the worker's own (a simulation: the only one). ------------------------------

  // Sets and clears the thread's context. One that was started wakes up next: awake().
  void enter() noexcept;
  void leave() noexcept;
  // Sleeps until a wake-up or the deadline; what has retired, until it is used again. False: the
  // thread is to end, by quit().
  bool sleep(Instant deadline) noexcept;

  enum class Step : uint8_t { Ran, Idle, Retire };
  // One pass: what is due, then at most one task. Never blocks.
  Step step() noexcept;
  // Sleeping in three parts, because a simulation has its own way for the middle one.
  void fall_asleep() noexcept;
  Instant sleep_until() noexcept { return timers_.park_deadline(); }
  void awake() noexcept;
  // The end of a retiring worker: queue to the injector, timers to the heir, blocks to the pools.
  void end() noexcept;
  // The end of a thread that has retired.
  void quit() noexcept;

  // Others. Thread: any. --------------------------------------------------------------------------

  // Thread: the worker's own. The newest runs next; push_last: the oldest runs first.
  void push_local(task::Header* task) noexcept;
  void push_last(task::Header* task) noexcept;
  void unpark() noexcept { parker_.unpark(); }
  // The loop looks at its duties before the next task.
  void attend() noexcept {
    if (attention_.load(std::memory_order_relaxed)) return;
    attention_.store(true, std::memory_order_release);
    forks_.ask();
  }
  // There is something in the injector: attend(), but at most once in kOutsideEvery, or a thread
  // that spawns fast would interrupt it for every task.
  void tell() noexcept {
    if (told_.load(std::memory_order_relaxed)) return;
    told_.store(true, std::memory_order_relaxed);
    attend();
  }
  // The worker stays in one poll: what it would run next may be taken from it. Thread: the
  // watchdog.
  void found_stuck() noexcept {
    stuck_.store(true, std::memory_order_release);
    attend();
  }
  // Tasks that are ready here. A moment's figure.
  uint64_t ready() const noexcept {
    return queue_.size() + overflow_.size() +
           (lifo_.load(std::memory_order_acquire) != nullptr ? 1 : 0);
  }
  // Ready tasks that others may take at once; the newest one, too, of a worker that does not run.
  bool has_surplus() const noexcept {
    return !queue_.empty() || !overflow_.empty() || forks_.has_shared() || newest_is_surplus();
  }
  // The processor it was seen on last. A moment's figure.
  uint32_t cpu() const noexcept { return cpu_.load(std::memory_order_relaxed); }
  uint64_t polls() const noexcept { return stats_.polls.read(); }
  time::Timers& timers() noexcept { return timers_; }
  Parker& parker() noexcept { return parker_; }
  stats::WorkerShard& stats() noexcept { return stats_; }
  ThreadView& view() noexcept { return view_; }
  // Thread: the worker's own. For events that are rare, or only happen while recording.
  void trace(TraceKind kind, const task::Header* task, uint64_t value = 0,
             const char* text = nullptr) noexcept;
  WorkerState state() const noexcept { return state_.load(std::memory_order_acquire); }
  uint32_t slot() const noexcept { return slot_; }
  uint64_t moved_tasks() const noexcept {
    return moved_tasks_;
  }  // by the last hand_over(), after join
  uint64_t moved_timers() const noexcept { return moved_timers_; }
  WorkerSnapshot snapshot() const;

 private:
  void run_thread() noexcept;
  // A worker between two tasks takes its newest sooner than it would arrive elsewhere; one that is
  // inside a long task, sleeps or retires does not. The same for who looks for work and who steals,
  // or the one would see for ever what the other does not take.
  bool newest_is_surplus() const noexcept {
    return lifo_.load(std::memory_order_acquire) != nullptr &&
           (stuck_.load(std::memory_order_relaxed) || state() != WorkerState::Running);
  }
  void hand_over() noexcept;
  void has_retired() noexcept;
  // The duties; false when the worker is to retire. `task`: one whose turn came this way, or null.
  bool maintain(task::Header*& task) noexcept;
  void set_pace() noexcept;
  void see_to_outside() noexcept;
  task::Header* next_task() noexcept;
  bool queue_has_room() const noexcept { return queue_.size() + Bag::kTasks <= kLocalQueueSlots; }
  void refill() noexcept;
  task::Header* take_overflow() noexcept;
  task::Header* take_injected() noexcept;
  task::Header* take_turn_of_outside() noexcept;
  void let_bag_fill() noexcept;
  void empty(Bag* bag) noexcept;
  task::Header* unpack(Bag* bag) noexcept;
  task::Header* search() noexcept;
  task::Header* steal() noexcept;
  task::Header* steal_from(Worker& victim) noexcept;
  task::Header* steal_newest() noexcept;
  void stop_searching() noexcept;
  void run(task::Header* task) noexcept;
  void resume(task::Header* task, uint32_t switches) noexcept;
  // Turns of groups (worker_groups.cpp). True when it ran a task.
  bool run_groups(bool last_resort) noexcept;
  int run_turn(Group& group, int64_t& now) noexcept;
  int64_t without_waiting(int64_t took) noexcept;
  // At a maintenance. True when the turn ended and groups are still behind: the next step is
  // theirs.
  bool share_with_groups() noexcept;
  bool has_own_work() const noexcept;
  // Branches of forks (worker_forks.cpp).
  bool look_at_forks() noexcept override;
  void share_forks() noexcept override;
  void settle_forks() noexcept override;
  void wake_for_forks() noexcept;
  void duties_in_place(int64_t now) noexcept;
  task::Header* steal_fork() noexcept;
  void run_timed(task::Header* task) noexcept;
  void run_traced(task::Header* task) noexcept;
  void push_older(task::Header* task) noexcept;
  bool wake_is_worth(uint64_t backlog) noexcept;
  bool spin() noexcept;
  bool io_is_due() const noexcept;
  bool io_ends_soon() const noexcept;
  void poll_io() noexcept;
  void expire_timers() noexcept;
  void carry_out_reactor_order() noexcept;
  void reactor_order_done(Result<void> result) noexcept;

  // Constant after construction.
  Scheduler& scheduler_;
  const uint32_t slot_;

  // Any thread, atomic or by the rules of their types.
  Atomic<task::Header*> lifo_{nullptr};  // set by the owner, taken by the owner or a thief
  LocalQueue queue_;
  BagQueue overflow_;
  task::ForkDeque forks_;
  time::Timers timers_;
  Parker parker_;
  Atomic<int64_t> heartbeat_ns_{0};
  // Somebody wants the loop's attention before its next maintenance is due.
  Atomic<bool> attention_{false};
  Atomic<bool> stuck_{false};
  // Read with every push from outside, so on a line that is rarely written.
  alignas(kCacheLine) Atomic<WorkerState> state_{WorkerState::Empty};
  Atomic<bool> told_{false};  // see tell()
  Atomic<ReactorOrder> reactor_order_{ReactorOrder::None};
  Atomic<bool> has_reactor_{false};
  Atomic<uint32_t> cpu_{0};
  // 0 while there is a worker, 1 when it has retired: a futex for the control strand.
  Atomic<uint32_t> ended_{1};
  Atomic<bool> quit_{false};  // the thread is to end; set while ended_ is 1
  // Bumped when an order was carried out: a futex likewise.
  Atomic<uint32_t> orders_done_{0};
  stats::WorkerShard stats_;
  ThreadView view_;

  // Control strand only.
  std::thread thread_;
  std::atomic<bool> has_thread_{false};  // read by any, for figures
  Instant retired_at_;
  // Written before the state becomes Retiring, read after.
  Worker* heir_ = nullptr;
  // Written by the worker before orders_done_ changes, read after.
  Error reactor_error_;
  bool reactor_failed_ = false;

  // Owner only.
  enum class Origin : uint8_t { Local, Io, Timer };
  Origin origin_ = Origin::Local;
  Rng rng_;
  uint32_t polls_left_ = 0;  // until the next maintenance
  uint32_t interval_ = 0;    // polls between the last two; 0: none that count
  uint32_t lifo_budget_ = kLifoBudget;
  uint32_t probe_left_ = 1;  // see kProbeEvery
  bool own_first_ = false;   // whose turn it is: the overflow's, or the injector's
  bool searching_ = false;
  bool streaming_ = false;  // tasks came from outside just now
  bool just_woken_ = false;
  bool retire_announced_ = false;
  bool timed_ = false;  // the next poll follows a maintenance, so its start is known
  int64_t now_ns_ = 0;  // of the last maintenance
  int64_t io_polled_ns_ = 0;
  uint64_t io_due_polls_ = 0;  // when what was ready then has run
  int64_t told_at_ns_ = 0;     // when told_ was cleared last
  uint64_t average_poll_ns_ = 500;
  os::SpinBudget spin_budget_;
  int64_t ran_ns_ = 0;  // time in polls between the last two maintenances
  GroupTurns turns_;
  uint64_t waited_ns_ = 0;     // as of the last look at it, see without_waiting
  bool groups_go_on_ = false;  // see share_with_groups
  uint32_t last_victim_ = 0;
  uint64_t forking_poll_ = 0;  // the poll that forks, and when it was seen to first
  int64_t forking_since_ns_ = 0;
  int64_t fork_looked_ns_ = 0;
  int64_t fork_wake_ns_ = 0;
  bool more_forks_ = false;  // where the last one was stolen
  mem::ThreadCache* cache_ = nullptr;
  TraceRing* trace_ = nullptr;  // while trace events are recorded
  uint64_t moved_tasks_ = 0;
  uint64_t moved_timers_ = 0;
};

}  // namespace zokio::sched
