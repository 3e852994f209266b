// SPDX-License-Identifier: Apache-2.0
#pragma once

// One worker slot: queue, timers, sleep and figures. Made when first used, never freed before the
// scheduler, so that others may look at it at any time.
//
//   Empty -> Running <-> Parked            start(), the loop
//            Running -> Retiring -> Empty  retire(): tested before every pop

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/env.h"
#include "sched/local_queue.h"
#include "sched/parker.h"
#include "sched/stats.h"
#include "time/timers.h"
#include "zokio/base/result.h"
#include "zokio/stats/snapshot.h"
#include "zokio/task/context.h"

namespace zokio::mem {
class ThreadCache;
}

namespace zokio::sched {

class Scheduler;

class Worker : Pinned {
 public:
  Worker(Scheduler& scheduler, uint32_t slot, uint64_t seed);

  // Control side. Thread: the control strand. ---------------------------------------------------

  // Starts the thread. Requires: Empty. ResourceExhausted when the system has no thread to give.
  Result<void> start();
  // Asks the worker to hand everything over to `heir` (null: nobody, the scheduler stops) and end.
  void ask_to_retire(Worker* heir) noexcept;
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

  // Sets and clears the thread's context.
  void enter() noexcept;
  void leave() noexcept;

  enum class Step : uint8_t { Ran, Idle, Retire };
  // One pass: what is due, then at most one task. Never blocks.
  Step step() noexcept;
  // Sleeping in three parts, because a simulation has its own way for the middle one.
  void fall_asleep() noexcept;
  Instant sleep_until() const noexcept { return timers_.next_deadline(); }
  void awake() noexcept;
  // The end of a retiring worker: queue to the injector, timers to the heir, cache to the pools.
  void end() noexcept;

  // Others. Thread: any. --------------------------------------------------------------------------

  void push_local(task::Header* task) noexcept;  // Thread: the worker's own
  void unpark() noexcept { parker_.unpark(); }
  LocalQueue& queue() noexcept { return queue_; }
  time::Timers& timers() noexcept { return timers_; }
  Parker& parker() noexcept { return parker_; }
  stats::WorkerShard& stats() noexcept { return stats_; }
  WorkerState state() const noexcept { return state_.load(std::memory_order_acquire); }
  uint32_t slot() const noexcept { return slot_; }
  uint64_t moved_tasks() const noexcept {
    return moved_tasks_;
  }  // by the last hand_over(), after join
  uint64_t moved_timers() const noexcept { return moved_timers_; }
  WorkerSnapshot snapshot() const;

 private:
  void run_thread() noexcept;
  void hand_over() noexcept;
  task::Header* next_task() noexcept;
  task::Header* take_injected() noexcept;
  task::Header* search() noexcept;
  task::Header* steal() noexcept;
  void stop_searching() noexcept;
  void run(task::Header* task) noexcept;
  void poll_io() noexcept;
  void expire_timers() noexcept;
  void carry_out_reactor_order() noexcept;
  void reactor_order_done(Result<void> result) noexcept;

  // Constant after construction.
  Scheduler& scheduler_;
  const uint32_t slot_;

  // Any thread, atomic or by the rules of their types.
  LocalQueue queue_;
  time::Timers timers_;
  Parker parker_;
  Atomic<WorkerState> state_{WorkerState::Empty};
  std::atomic<int64_t> heartbeat_ns_{0};
  Atomic<ReactorOrder> reactor_order_{ReactorOrder::None};
  std::atomic<bool> has_reactor_{false};
  // 0 while the thread runs, 1 when it is through: a futex for the control strand.
  Atomic<uint32_t> ended_{1};
  // Bumped when an order was carried out: a futex likewise.
  Atomic<uint32_t> orders_done_{0};
  stats::WorkerShard stats_;

  // Control strand only.
  std::thread thread_;
  // Written before the state becomes Retiring, read after.
  Worker* heir_ = nullptr;
  // Written by the worker before orders_done_ changes, read after.
  Error reactor_error_;
  bool reactor_failed_ = false;

  // Owner only.
  enum class Origin : uint8_t { Local, Io, Timer };
  Origin origin_ = Origin::Local;
  Rng rng_;
  uint32_t tick_ = 0;
  bool searching_ = false;
  bool just_woken_ = false;
  bool retire_announced_ = false;
  int64_t now_ns_ = 0;
  bool now_is_fresh_ = false;
  mem::ThreadCache* cache_ = nullptr;
  uint64_t moved_tasks_ = 0;
  uint64_t moved_timers_ = 0;
};

}  // namespace zokio::sched
