// SPDX-License-Identifier: Apache-2.0
#pragma once

// Threads for calls that block: started on demand up to a cap, ended after a while without work.
//
// A thread without work looks around for a moment before it sleeps, one thread at a time: waking it
// costs more than most calls take. A job wakes a thread only if there are more jobs than threads
// that look for one already.
//
// While every thread that there may be is awake, a job is only pushed, without a lock (alert_):
// each of them looks again before it sleeps. The threads take from a list of their own under the
// lock and fetch what came in when that is empty, so they and the submitters meet once per lot.
// Thread: any.

#include <pthread.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "sched/job_stack.h"
#include "zokio/base/atomic.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/pinned.h"
#include "zokio/base/spin_lock.h"
#include "zokio/stats/snapshot.h"
#include "zokio/task/executor.h"

namespace zokio::os {
class SpinBudget;
}

namespace zokio::sched {

class BlockingPool : Pinned {
 public:
  // How a thread is started that calls serve(), or does the like. False: there is none to be had.
  using Start = bool (*)(BlockingPool&) noexcept;

  BlockingPool(unsigned threads_max, std::string thread_name, Start start = &start_thread);
  ~BlockingPool();

  // False when the pool is stopping, or when it has no thread and none could be started.
  bool submit(task::OffloadJob* job) noexcept;
  // Runs what is queued, then ends the threads. Idempotent.
  void stop() noexcept;

  // What a thread of the pool does.
  void serve() noexcept;

  void snapshot(SchedulerSnapshot& out) const;

 private:
  // A thread that sleeps; on its stack.
  struct Sleeper {
    enum : uint32_t { kAsleep, kWoken };
    Atomic<uint32_t> word{kAsleep};
    Sleeper* next = nullptr;  // guarded by lock_
  };

  void run_thread() noexcept;
  void serve(std::unique_lock<SpinLock>& guard) noexcept;
  static bool start_thread(BlockingPool& pool) noexcept;
  // May leave the lock.
  bool call_thread(task::OffloadJob* job, std::unique_lock<SpinLock>& guard) noexcept;
  // Require lock_; the first three leave it meanwhile.
  task::OffloadJob* next_job(os::SpinBudget& budget) noexcept;  // null: the thread is to end
  void spin(os::SpinBudget& budget) noexcept;
  bool sleep(os::SpinBudget& budget) noexcept;
  task::OffloadJob* take() noexcept;
  bool take_back(task::OffloadJob* job) noexcept;
  void append(JobLot lot) noexcept;
  void collect() noexcept;
  bool has_jobs() const noexcept { return head_ != nullptr || !incoming_.empty(); }
  void set_alert() noexcept;
  void unlink(Sleeper* sleeper) noexcept;

  // Constant after construction.
  const unsigned threads_max_;
  const std::string thread_name_;
  const Start start_;

  alignas(kCacheLine) JobStack incoming_;
  // Not 0: a submitter has to see to it that somebody comes, because a thread sleeps or another one
  // may be started. Written under lock_. Ordering: seq_cst, see JobStack.
  alignas(kCacheLine) Atomic<uint32_t> alert_{1};

  alignas(kCacheLine) mutable SpinLock lock_;
  // Guarded by lock_; depth_ and stopping_ may be read by any.
  task::OffloadJob* head_ = nullptr;
  task::OffloadJob* tail_ = nullptr;
  Atomic<uint64_t> depth_{0};       // of this list
  Sleeper* sleepers_ = nullptr;     // the last to fall asleep first: its caches are warm
  unsigned looking_ = 0;            // threads that are on their way to the queue
  unsigned idle_ = 0;               // sleepers, and those that look around
  bool spinning_ = false;           // one of them does
  unsigned started_ = 0;            // for names
  std::optional<pthread_t> ended_;  // the last thread that did; not joined yet
  Atomic<bool> stopping_{false};
  Atomic<uint32_t> running_{0};  // threads; stop() sleeps on it
};

}  // namespace zokio::sched
