// SPDX-License-Identifier: Apache-2.0
#include "sched/idle.h"

#include <algorithm>
#include <mutex>

#include "zokio/base/assert.h"
#include "zokio/base/fence.h"

namespace zokio::sched {

// Room for all, so that going to sleep never allocates.
Idle::Idle() {
  sleepers_.reserve(kWorkerSlots);
}

uint32_t Idle::worker_to_wake(Rng& rng) noexcept {
  full_fence();  // the task before the word
  if (sleeping() == 0 || searching() != 0) return kNobody;
  std::scoped_lock guard(lock_);
  if (sleepers_.empty() || searching() != 0) return kNobody;
  // The last to fall asleep has the warmest caches.
  const auto count = static_cast<uint32_t>(sleepers_.size());
#ifdef ZOKIO_SIM
  const uint32_t pick = env::choose(env::Choice::WakeTarget, count, rng);
#else
  static_cast<void>(rng);
  const uint32_t pick = count - 1;
#endif
  const uint32_t worker = sleepers_[pick];
  sleepers_.erase(sleepers_.begin() + pick);
  word_.fetch_add(kSearcher - kSleeper, std::memory_order_seq_cst);
  return worker;
}

bool Idle::start_searching(unsigned active_workers) noexcept {
  if (2 * searching() >= active_workers) return false;
  word_.fetch_add(kSearcher, std::memory_order_seq_cst);
  return true;
}

bool Idle::stop_searching() noexcept {
  const uint64_t before = word_.fetch_sub(kSearcher, std::memory_order_seq_cst);
  ZOKIO_DCHECK(before >> 32 != 0, "nobody was searching");
  return before >> 32 == 1;
}

bool Idle::sleeps(uint32_t worker) noexcept {
  std::scoped_lock guard(lock_);
  return std::find(sleepers_.begin(), sleepers_.end(), worker) != sleepers_.end();
}

void Idle::go_to_sleep(uint32_t worker, bool searching) noexcept {
  std::scoped_lock guard(lock_);
  sleepers_.push_back(worker);
  const uint64_t change = kSleeper - (searching ? kSearcher : 0);
  word_.fetch_add(change, std::memory_order_seq_cst);
  full_fence();  // the word before the queues; a read-modify-write alone orders only its own word
}

bool Idle::wake_up(uint32_t worker) noexcept {
  std::scoped_lock guard(lock_);
  const auto found = std::find(sleepers_.begin(), sleepers_.end(), worker);
  if (found == sleepers_.end()) return true;
  sleepers_.erase(found);
  word_.fetch_sub(kSleeper, std::memory_order_seq_cst);
  return false;
}

}  // namespace zokio::sched
