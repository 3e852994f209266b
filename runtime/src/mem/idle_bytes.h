// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much of what is kept free nobody has needed lately, and how much of that should go now.
//
// Time comes in steps. Of each step the least that was free is noted, so that what a program frees
// and takes again within a step is never counted as idle. What has been free for k steps on end is
// the least of the last k notes; a step gives back the mean of these over k = 1 to 10. So the
// first tenth goes after one step, half after three, and all after ten, slowly at both ends.
// Source: the idea of giving back along a smooth curve over the age is jemalloc's decay.
//
// Thread: guarded by the lock of what it belongs to.

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace zokio::mem {

class IdleBytes {
 public:
  static constexpr unsigned kSteps = 10;

  // What is kept became `kept`.
  void changed(uint64_t kept) noexcept { least_ = std::min(least_, kept); }

  // Ends a step; what should go now.
  uint64_t step(uint64_t kept) noexcept {
    const uint64_t least = std::exchange(least_, kept);
    stuck_ = std::min(stuck_, least);
    const uint64_t idle = least - stuck_;
    uint64_t sum = idle;
    for (unsigned k = kSteps - 1; k > 0; --k) {
      free_for_[k] = std::min(free_for_[k - 1], idle);
      sum += free_for_[k];
    }
    free_for_[0] = idle;
    return std::max(sum / kSteps, free_for_[kSteps - 1]);
  }

  // `bytes` went, and `kept` are left.
  void went(uint64_t bytes, uint64_t kept) noexcept {
    for (uint64_t& free : free_for_) free -= std::min(free, bytes);
    changed(kept);
  }
  // None of the `kept` bytes can go now: they share spans with blocks in use. Not asked for again
  // until there is more.
  void is_stuck(uint64_t kept) noexcept {
    stuck_ = kept;
    free_for_ = {};
  }

  // Some was idle for all ten steps.
  bool old() const noexcept { return free_for_[kSteps - 1] != 0; }
  // Nothing to wait for: no step from now on will find anything to give back unless more is kept.
  bool settled(uint64_t kept) const noexcept { return kept <= stuck_; }

 private:
  uint64_t least_ = 0;  // since the last step
  uint64_t stuck_ = 0;
  std::array<uint64_t, kSteps> free_for_{};  // [k]: through the last k + 1 steps
};

}  // namespace zokio::mem
