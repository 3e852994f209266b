// SPDX-License-Identifier: Apache-2.0
#pragma once

// How long a thread that waits for another looks around before it sleeps. It learns: less after
// each time in vain, down to nothing; all of it when a sleep turned out short. Nothing, too, when
// somebody else wanted the processor: a thread that sleeps gets it back sooner than one that burns
// its share. From nothing it comes back after a pause, which doubles until a look finds something.
// Thread: one owner.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "os/switches.h"
#include "zokio/base/clock.h"

namespace zokio::os {

// How long a look may take.
inline constexpr Duration kSpinMax = std::chrono::microseconds(50);
// No looking around for so long after it was in vain or lost the processor to another thread: so
// what it wastes is at most one part in fifty, and soon one in a thousand.
inline constexpr Duration kSpinPauseMin = std::chrono::milliseconds(5);
inline constexpr Duration kSpinPauseMax = std::chrono::milliseconds(100);

class SpinBudget {
 public:
  // Nanoseconds to look around from `now_ns` on; 0: do not.
  int64_t next(int64_t now_ns) noexcept {
    if (length_ns_ == 0) return 0;
    const uint64_t lost = os::involuntary_switches();
    if (lost != switches_seen_) {
      switches_seen_ = lost;
      pause(now_ns);
    }
    return length_ns_;
  }
  void found() noexcept {
    length_ns_ = std::min<int64_t>(2 * length_ns_, kSpinMax.count());
    pause_ns_ = kSpinPauseMin.count();
  }
  void in_vain(int64_t now_ns) noexcept {
    length_ns_ /= 2;
    if (length_ns_ < 1'000) pause(now_ns);
  }
  // The wake-up is part of a sleep, and maybe that of who woke it, too: such a sleep would mostly
  // have been a good look.
  void slept(int64_t slept_ns, int64_t now_ns) noexcept {
    if (slept_ns < 2 * kSpinMax.count() && now_ns >= again_ns_) length_ns_ = kSpinMax.count();
  }

 private:
  void pause(int64_t now_ns) noexcept {
    length_ns_ = 0;
    again_ns_ = now_ns + pause_ns_;
    pause_ns_ = std::min<int64_t>(2 * pause_ns_, kSpinPauseMax.count());
  }

  int64_t length_ns_ = 20'000;
  int64_t again_ns_ = 0;
  int64_t pause_ns_ = kSpinPauseMin.count();
  uint64_t switches_seen_ = 0;
};

}  // namespace zokio::os
