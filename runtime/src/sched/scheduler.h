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

#include "sched/blocking_pool.h"
#include "sched/idle.h"
#include "sched/inject_queue.h"
#include "sched/live_set.h"
#include "sched/worker.h"
#include "zokio/base/result.h"
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
  void adopt(task::Header* task) noexcept override;
  void finished(task::Header* task, task::Ending ending) noexcept override;

  // Control strand only. --------------------------------------------------------------------------

  // Starts workers up to `count` in all. The error of the first that could not be started; those
  // before it run on.
  Result<void> grow(unsigned count);
  struct Shrunk {
    uint64_t moved_tasks = 0;
    uint64_t moved_timers = 0;
    bool stalled = false;  // a worker is still inside one task; it retires when that ends
  };
  // Retires the highest slots down to `count`. Requires: count >= 1, their reactors are closed.
  Shrunk shrink(unsigned count, Instant deadline);
  // Its first half: asks, and does not wait.
  void begin_shrink(unsigned count) noexcept;
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
  InjectQueue& injector() noexcept { return injector_; }
  Idle& idle() noexcept { return idle_; }
  io::Driver* driver() const noexcept { return driver_; }
  const std::string& thread_name() const noexcept { return options_.thread_name; }

  // Thread: any. Takes no lock that a worker takes to run a task.
  SchedulerSnapshot snapshot() const;

 private:
  Worker& slot_or_make(unsigned index);

  // Constant after construction.
  const SchedulerOptions options_;
  io::Driver* const driver_;

  // Any thread, by the rules of their types.
  InjectQueue injector_;
  Idle idle_;
  LiveSet live_;
  BlockingPool blocking_;
  std::array<std::atomic<Worker*>, kWorkerSlots> slots_{};
  std::atomic<unsigned> slots_in_use_{0};
  std::atomic<unsigned> active_{0};
  stats::Counter scheduled_remote_;
  // Bumped when the last task of a closed set ends: a futex.
  Atomic<uint32_t> all_ended_{0};

  // Control strand only.
  std::vector<std::unique_ptr<Worker>> owned_;
};

}  // namespace zokio::sched
