// SPDX-License-Identifier: Apache-2.0
#pragma once

// Threads for calls that block: started on demand up to a cap, ended after a while without work.
// Thread: any.

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "zokio/base/pinned.h"
#include "zokio/stats/snapshot.h"
#include "zokio/task/executor.h"

namespace zokio::sched {

class BlockingPool : Pinned {
 public:
  BlockingPool(unsigned threads_max, std::string thread_name);
  ~BlockingPool() { stop(); }

  // False when the pool is stopping, or when it has no thread and none could be started.
  bool submit(task::OffloadJob* job) noexcept;
  // Runs what is queued, then ends the threads. Idempotent.
  void stop() noexcept;

  void snapshot(SchedulerSnapshot& out) const;

 private:
  void run_thread(unsigned slot) noexcept;
  bool start_thread() noexcept;  // Requires: mutex_ held

  // Constant after construction.
  const unsigned threads_max_;
  const std::string thread_name_;

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable ended_;
  // Guarded by mutex_.
  task::OffloadJob* head_ = nullptr;
  task::OffloadJob* tail_ = nullptr;
  uint64_t depth_ = 0;
  unsigned idle_ = 0;
  unsigned running_ = 0;  // threads
  unsigned started_ = 0;  // for names
  bool stopping_ = false;
};

}  // namespace zokio::sched
