// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who sleeps, who searches, and whom to wake.
//
// The wake rule: whoever makes a task ready wakes one sleeper, unless some worker is searching
// already. A searcher that finds work, and was the last one searching, wakes the next. So one wake
// is enough to start a chain, and a burst of spawns does not wake everybody.
//
// No wake is lost: the producer makes the task visible, then (full fence) reads the word; a worker
// that goes to sleep changes the word, then (full fence) looks at every queue again. One of the two
// sees the other.
//
// Source: the idle set of Tokio's multi-thread scheduler. Thread: any.

#include <cstdint>
#include <vector>

#include "base/env.h"
#include "sched/limits.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/spin_lock.h"

namespace zokio::sched {

class Idle : Pinned {
 public:
  static constexpr uint32_t kNobody = UINT32_MAX;

  Idle();

  // A worker to wake, which counts as searching from now on; kNobody when nobody sleeps or somebody
  // searches. Requires: the ready task is visible. Contains the full fence.
  uint32_t worker_to_wake(Rng& rng) noexcept;

  // At most half of the workers search at once. False: go to sleep instead.
  bool start_searching(unsigned active_workers) noexcept;
  // True when this was the last searcher: wake another if there may be more work.
  [[nodiscard]] bool stop_searching() noexcept;

  // Whether it is in the set of sleepers.
  bool sleeps(uint32_t worker) noexcept;
  // Enters the set of sleepers. The worker looks at all queues once more before it sleeps.
  // Contains the full fence.
  void go_to_sleep(uint32_t worker, bool searching) noexcept;
  // After waking. True when it was woken by worker_to_wake, and so is searching; false when it
  // still was in the set, from which it is removed.
  [[nodiscard]] bool wake_up(uint32_t worker) noexcept;

  unsigned sleeping() const noexcept {
    return static_cast<unsigned>(word_.load(std::memory_order_relaxed) & 0xffffffff);
  }
  unsigned searching() const noexcept {
    return static_cast<unsigned>(word_.load(std::memory_order_relaxed) >> 32);
  }

 private:
  static constexpr uint64_t kSleeper = 1;
  static constexpr uint64_t kSearcher = uint64_t{1} << 32;

  // Searching in the high half, sleeping in the low half.
  // Ordering: seq_cst where the header says so.
  alignas(kCacheLine) Atomic<uint64_t> word_{0};
  // Guarded by lock_; agrees with the low half of word_ whenever it is free.
  SpinLock lock_;
  std::vector<uint32_t> sleepers_;
};

}  // namespace zokio::sched
