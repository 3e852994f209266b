// SPDX-License-Identifier: Apache-2.0
#pragma once

// The scheduler: workers that steal from each other, an injector, and who may be woken.
//
// The worker in slot 0 never retires, and the workers of a set of n are the slots 0 to n - 1, so a
// retiring worker always has an heir.

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "os/topology.h"
#include "sched/blocking_pool.h"
#include "sched/group_set.h"
#include "sched/idle.h"
#include "sched/injector.h"
#include "sched/task_registry.h"
#include "sched/thread_shard.h"
#include "sched/trace.h"
#include "sched/watchdog.h"
#include "sched/worker.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/result.h"
#include "zokio/stats/counter.h"
#include "zokio/stats/snapshot.h"
#include "zokio/task/executor.h"

namespace zokio::io {
class Driver;
}

namespace zokio::sched {

struct SchedulerOptions {
  uint64_t seed = 1;
  unsigned blocking_threads = 8;
  std::string thread_name = "zokio";
};

class Scheduler final : public task::Executor, Pinned {
 public:
  // `driver` (null: no I/O) outlives the scheduler.
  Scheduler(SchedulerOptions options, io::Driver* driver);
  // Requires: no worker runs.
  ~Scheduler();

  // Executor. Thread: any.
  void schedule(task::Header* task) noexcept override;
  void schedule_last(task::Header* task) noexcept override;
  bool offload(task::OffloadJob* job) noexcept override { return blocking_.submit(job); }
  void adopt(task::Header* task, const char* name) noexcept override;
  void enlist(task::Header* task) noexcept override;
  void finished(task::Header* task, task::Ending ending) noexcept override;
  uint64_t id_of(const task::Header* task) const noexcept override { return registry_.id_of(task); }

  // The current task, suspended, leaves its group; whoever calls gives it another.
  void leave_group(task::Header* task) noexcept;
  // It leaves its group for none, and is scheduled.
  void move_in(task::Header* task) noexcept;

  // Control strand only. --------------------------------------------------------------------------

  // Starts workers up to `count` in all. The error of the first that could not be started; those
  // before it run on.
  Result<void> grow(unsigned count);
  // Instead of grow(), for a runtime without threads: worker 0, which the caller runs. See
  // Worker::seat.
  Worker& seat();
  struct Shrunk {
    uint64_t moved_tasks = 0;
    uint64_t moved_timers = 0;
    bool stalled = false;  // a worker is still inside one task; it retires when that ends
  };
  // Retires the highest slots down to `count`. Requires: count >= 1, their reactors are closed.
  Shrunk shrink(unsigned count, Instant deadline);
  // Its first half: asks those that are awake, and does not wait.
  void begin_shrink(unsigned count) noexcept;
  // Threads of workers that retired, kept for the next grow. Thread: any.
  unsigned kept_threads() const noexcept;
  // When the next of them is to end; never() when there is none.
  Instant kept_thread_ends() const noexcept;
  // Ends the one that was kept longest.
  void end_kept_thread() noexcept;
  // Cancels every task and waits for them. False at the deadline.
  bool cancel_all(Instant deadline) noexcept;
  // Ends all threads. Tasks that are left stay suspended for good. Requires: reactors are closed.
  void stop() noexcept;

  // For workers. ----------------------------------------------------------------------------------

  void wake_one() noexcept;
  bool has_work() const noexcept;
  Worker* slot(unsigned index) const noexcept {
    return slots_[index].load(std::memory_order_acquire);
  }
  // Slots that were ever used: what thieves look at.
  unsigned slots_in_use() const noexcept { return slots_in_use_.load(std::memory_order_acquire); }
  unsigned active_workers() const noexcept { return active_.load(std::memory_order_acquire); }
  Injector& injector() noexcept { return injector_; }
  TaskRegistry& registry() noexcept { return registry_; }
  // Not 0: tasks come and go the long way, because they are traced or refused.
  const std::atomic<uint8_t>& unusual() const noexcept { return unusual_; }
  uint16_t group() const noexcept { return group_; }
  GroupSet& groups() noexcept { return groups_; }
  Watchdog& watchdog() noexcept { return watchdog_; }
  Tracer& tracer() noexcept { return tracer_; }
  // Whether a steal between the two stays in a cache that their processors share.
  bool near(const Worker& thief, const Worker& victim) const noexcept {
    return one_cache_ || caches_.shared(thief.cpu(), victim.cpu());
  }
  // Everything is near.
  bool one_cache() const noexcept { return one_cache_; }
  // How long a poll takes, as the last worker to look found; for wake-ups from outside.
  // Not written for every small change, because threads outside read it with every task.
  void note_average_poll(uint64_t ns) noexcept {
    const uint64_t before = average_poll_ns_.load(std::memory_order_relaxed);
    if (ns > before + before / 8 || ns < before - before / 8)
      average_poll_ns_.store(ns, std::memory_order_relaxed);
  }
  // Begins to measure how long `task` waits to run, if one of the few probes is free.
  void probe(task::Header* task) noexcept;
  // Requires: kProbed.
  void probe_arrived(task::Header* task, stats::Histogram& delay) noexcept;
  Idle& idle() noexcept { return idle_; }
  io::Driver* driver() const noexcept { return driver_; }
  const std::string& thread_name() const noexcept { return options_.thread_name; }

  // Trace events from now on, for so long.
  void start_trace(Duration length) noexcept;
  Trace stop_trace();
  void trace_outside(TraceKind kind, const task::Header* task, uint64_t value = 0,
                     const char* text = nullptr) noexcept;
  // `task` became ready, in the queue of a group. Thread: any.
  void trace_wake(const task::Header* task) noexcept {
    if ((unusual_.load(std::memory_order_relaxed) & kTraced) != 0) [[unlikely]]
      trace_here(TraceKind::Wake, task, nullptr);
  }
  uint64_t tasks_alive() const noexcept;

  // Thread: any. Takes no lock that a worker takes to run a task.
  SchedulerSnapshot snapshot() const;

 private:
  Worker& slot_or_make(unsigned index);
  Worker* longest_kept() const noexcept;
  void push_outside(task::Header* task) noexcept;
  void tell_one_awake() noexcept;
  uint64_t spawned_tasks() const noexcept;
  uint64_t finished_tasks() const noexcept;
  void list(task::Header* task, const char* name) noexcept;
  void adopt_unusual(task::Header* task, const char* name) noexcept;
  void trace_here(TraceKind kind, const task::Header* task, const char* text) noexcept;

  // Constant after construction.
  const SchedulerOptions options_;
  io::Driver* const driver_;
  const uint16_t group_;
  const os::CacheDomains caches_ = os::CacheDomains::load();
  const bool one_cache_ = caches_.one();

  // Any thread, by the rules of their types.
  Injector injector_;
  Idle idle_;
  TaskRegistry registry_;
  Watchdog watchdog_{*this};
  Tracer tracer_;
  BlockingPool blocking_;
  GroupSet groups_{*this};
  std::array<std::atomic<Worker*>, kWorkerSlots> slots_{};
  std::atomic<unsigned> slots_in_use_{0};
  std::atomic<unsigned> active_{0};
  struct alignas(kCacheLine) SpawnedOutside {
    stats::Counter count;
  };
  std::array<SpawnedOutside, kThreadShards> spawned_outside_;
  std::atomic<uint64_t> average_poll_ns_{500};
  struct alignas(kCacheLine) Probe {
    std::atomic<task::Header*> task{nullptr};
    int64_t since_ns = 0;  // written before task, read by who takes it out
  };
  std::array<Probe, 16> probes_;
  // Ends of tasks in the blocking pool.
  alignas(kCacheLine) task::Ledger elsewhere_;
  // What beginnings and ends of tasks have to see to besides, usually nothing.
  // kClosed: new tasks are cancelled as they come, and ended_ is bumped (a futex) with every end.
  // kTraced: both are recorded; set with a recording, cleared by its stop.
  enum Unusual : uint8_t { kClosed = 1, kTraced = 2 };
  std::atomic<uint8_t> unusual_{0};
  Atomic<uint32_t> ended_{0};

  // Control strand only.
  std::vector<std::unique_ptr<Worker>> owned_;
};

}  // namespace zokio::sched
