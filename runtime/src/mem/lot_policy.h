// SPDX-License-Identifier: Apache-2.0
#pragma once

// How many blocks a thread's heap magazines keep, and the tuner that moves room between classes.
//
// A magazine begins with `begin` blocks and doubles whenever it goes to its central list, until the
// thread has grown by `growth_bytes`. Without more, that room stays with the classes that came
// first. The tuner counts the exchanges of each class with its central list; a class that had none
// for kIdleIntervals intervals of kInterval exchanges of the thread is halved, and what it held may
// be grown by others.
// Thread: a tuner is its cache's owner's; the policy is set before threads have caches.

#include <array>
#include <cstddef>
#include <cstdint>

#include "zokio/mem/size_class.h"

namespace zokio::mem {

struct LotPolicy {
  unsigned begin = 4;
  std::size_t growth_bytes = std::size_t{4} << 20;
  bool tuned = true;
};
// For tests and benchmarks; caches that exist take it with the next epoch.
extern constinit LotPolicy lot_policy;

class LotTuner {
 public:
  static constexpr unsigned kInterval = 512;
  static constexpr uint8_t kIdleIntervals = 4;

  // Notes an exchange; true when an interval ended.
  bool note(unsigned cls) noexcept {
    idle_[cls] = 0;
    return ++exchanges_ % kInterval == 0;
  }

  // Calls shrink(cls) for each class that has been idle for long enough, once in each interval.
  template <class F>
  void end_interval(F shrink) noexcept {
    for (unsigned cls = 0; cls < kClasses; ++cls) {
      if (idle_[cls] < kIdleIntervals)
        ++idle_[cls];
      else
        shrink(cls);
    }
  }

 private:
  std::array<uint8_t, kClasses> idle_{};  // intervals without an exchange
  uint32_t exchanges_ = 0;
};

}  // namespace zokio::mem
