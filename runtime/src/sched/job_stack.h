// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where calls for the blocking pool come in: a stack that any thread pushes to without a lock and
// that is emptied as a whole, so a submitter and the threads of the pool meet on one line, once per
// lot. It can be closed: what is pushed afterwards is refused, and nothing is left behind.
//
// The word: the newest job in the low 48 bits, how many there are in the high 16.
// Ordering: seq_cst. A submitter pushes and then looks whether somebody sleeps; a thread of the
// pool says that it sleeps and then looks here. One of the two sees the other.
// Source: Treiber's stack, without its pop, so that no address can come back in between.

#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/pinned.h"
#include "zokio/task/executor.h"

namespace zokio::sched {

// Jobs, oldest first.
struct JobLot {
  task::OffloadJob* oldest = nullptr;
  task::OffloadJob* newest = nullptr;
  uint64_t count = 0;
};

class JobStack : Pinned {
 public:
  // More are not counted: somebody has to empty it first.
#ifdef ZOKIO_MODEL
  static constexpr uint64_t kMost = 2;
#else
  static constexpr uint64_t kMost = 0xfffe;
#endif

  enum class Push : uint8_t { Done, Full, Closed };
  // Thread: any.
  Push push(task::OffloadJob* job) noexcept {
    uint64_t seen = word_.load(std::memory_order_relaxed);
    while (true) {
      if (seen == kClosed) return Push::Closed;
      if (seen >> kCountShift == kMost) return Push::Full;
      job->next = newest(seen);
      const uint64_t pushed = reinterpret_cast<uintptr_t>(job) | ((seen >> kCountShift) + 1)
                                                                     << kCountShift;
      if (word_.compare_exchange_weak(seen, pushed, std::memory_order_seq_cst,
                                      std::memory_order_relaxed))
        return Push::Done;
    }
  }

  // Requires: not closed.
  JobLot take_all() noexcept { return in_order(word_.exchange(0, std::memory_order_seq_cst)); }
  // Takes all and refuses the rest. Idempotent.
  JobLot close() noexcept {
    const uint64_t seen = word_.exchange(kClosed, std::memory_order_seq_cst);
    return seen != kClosed ? in_order(seen) : JobLot();
  }

  // Thread: any.
  bool empty() const noexcept { return size() == 0; }
  uint64_t size() const noexcept {
    const uint64_t seen = word_.load(std::memory_order_seq_cst);
    return seen != kClosed ? seen >> kCountShift : 0;
  }

 private:
  static constexpr unsigned kCountShift = 48;
  static constexpr uint64_t kClosed = UINT64_MAX;

  static task::OffloadJob* newest(uint64_t word) noexcept {
    return reinterpret_cast<task::OffloadJob*>(word & ((uint64_t{1} << kCountShift) - 1));
  }
  static JobLot in_order(uint64_t word) noexcept {
    JobLot lot{.newest = newest(word), .count = word >> kCountShift};
    for (task::OffloadJob* job = lot.newest; job != nullptr;) {
      task::OffloadJob* const older = job->next;
      job->next = lot.oldest;
      lot.oldest = job;
      job = older;
    }
    return lot;
  }

  Atomic<uint64_t> word_{0};
};

}  // namespace zokio::sched
