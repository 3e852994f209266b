// SPDX-License-Identifier: Apache-2.0
#pragma once

// A lock for critical sections of a few instructions that never call out. After a short spin it
// yields the processor, because on a machine with few cores the holder may not be running.
// Meets Lockable, for std::scoped_lock.

#include <sched.h>

#include "zokio/base/atomic.h"
#include "zokio/base/fence.h"
#include "zokio/base/pinned.h"

namespace zokio {

inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// One turn of waiting for another thread, `spins` being how many there were. By feel: 40 are about
// a microsecond, longer than any section that is waited for so, unless its thread is not running.
inline void spin_pause(int spins) noexcept {
#ifdef ZOKIO_MODEL
  static_cast<void>(spins);
  model::spin_pause();
#else
  if (spins < 40)
    cpu_relax();
  else
    sched_yield();
#endif
}

class SpinLock : Pinned {
 public:
  void lock() noexcept {
    // Ordering: acquire; pairs with the release in unlock().
    for (int spins = 0; locked_.exchange(true, std::memory_order_acquire); ++spins) {
      spin_pause(spins);
    }
  }
  bool try_lock() noexcept { return !locked_.exchange(true, std::memory_order_acquire); }
  void unlock() noexcept { locked_.store(false, std::memory_order_release); }
  // unlock() and full_fence() in one instruction, where that is enough.
  void unlock_and_fence() noexcept {
#if defined(__x86_64__) && !defined(ZOKIO_MODEL) && !defined(ZOKIO_TSAN)
    locked_.exchange(false, std::memory_order_seq_cst);
#else
    unlock();
    full_fence();
#endif
  }

 private:
  Atomic<bool> locked_{false};
};

}  // namespace zokio
