// SPDX-License-Identifier: Apache-2.0
#pragma once

// The timers of one worker: a wheel, a lock, and the next deadline where the worker can read it
// without the lock.
//
// A tick is 2^18 ns (262 us). Deadlines round up to a tick, so a timer is never early and, on an
// idle worker, at most one tick and one wake-up late.
// Thread: arm() from the owner; cancel from any; expire() by the owner.

#include <atomic>

#include "zokio/base/spin_lock.h"
#include "time/wheel.h"

namespace zokio::time {

class Timers : Pinned {
 public:
  static constexpr unsigned kTickShift = 18;

  Timers() noexcept;

  // Requires: entry Idle.
  void arm(TimerEntry* entry, Instant deadline) noexcept;

  // Fires what is due at `now`: wakes tasks and calls callbacks, outside the lock.
  // Returns how many fired. Thread: owner.
  unsigned expire(Instant now) noexcept;

  // Earliest instant at which expire() has work; never() when there is none.
  Instant next_deadline() const noexcept { return {next_ns_.load(std::memory_order_relaxed)}; }
  uint64_t pending() const noexcept { return pending_.load(std::memory_order_relaxed); }

  // Hands every armed entry to `to` (a retiring worker to a survivor). Returns how many.
  // The caller wakes the survivor afterwards.
  uint64_t move_to(Timers& to) noexcept;

 private:
  friend struct TimerEntry;
  void publish() noexcept;  // Requires: lock_ held

  // Guarded by lock_.
  SpinLock lock_;
  Wheel wheel_;
  // Written under lock_, read by anyone.
  std::atomic<int64_t> next_ns_{INT64_MAX};
  std::atomic<uint64_t> pending_{0};
};

}  // namespace zokio::time
