// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who may start: counts the entries of a group against max_running and keeps the rest waiting,
// first come first served, at most max_queued of them. Only entries take places, never the tasks
// that they start: a task that waits for its child would keep the child out otherwise.
//
// Every entry reserves before its task is made, so the limits are exact; a place that comes free
// goes to the first that waits. Thread: any.

#include <cstdint>

#include "zokio/base/spin_lock.h"
#include "zokio/sched/group_gate.h"

namespace zokio::sched {

class Admission : Pinned {
 public:
  // A place: true; or the right to wait for one by an AdmissionTurn: false. ResourceExhausted/Limit
  // when too many wait.
  Result<bool> reserve() noexcept;
  // A place is free again. Wakes at most one task.
  void leave() noexcept;
  // A right to wait that nobody uses.
  void forget() noexcept;
  // Takes effect at once: more are let in, or nobody until enough have left.
  void set(unsigned max_running, unsigned max_queued) noexcept;

  uint64_t queued() const noexcept { return queued_.load(std::memory_order_relaxed); }

 private:
  friend class AdmissionTurn;

  // Requires: lock_.
  bool has_place() const noexcept { return max_running_ == 0 || running_ < max_running_; }
  void link(AdmissionTurn* turn) noexcept;
  void unlink(AdmissionTurn* turn) noexcept;
  // The first of the FIFO, let in. Its task is woken by the caller, after the lock.
  task::Header* let_in_first() noexcept;
  void add_queued(uint64_t n) noexcept {
    queued_.store(queued_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  SpinLock lock_;
  // Guarded by lock_.
  unsigned max_running_ = 0;
  unsigned max_queued_ = 0;
  unsigned running_ = 0;
  AdmissionTurn* first_ = nullptr;
  AdmissionTurn* last_ = nullptr;
  // Written under lock_, read by any: reserved and not let in; those in the FIFO and those that
  // were not started yet.
  Atomic<uint64_t> queued_{0};
};

}  // namespace zokio::sched
