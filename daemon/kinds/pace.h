// SPDX-License-Identifier: Apache-2.0
#pragma once

// Not more than so many bytes a second. Thread: one task.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "zokio/task/task.h"
#include "zokio/time/sleep.h"

namespace zokiod::kinds {

class Pace {
 public:
  // 0: no limit.
  explicit Pace(uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  // Waits until `bytes` that were just used are paid for. What was not used is not saved for later:
  // after a pause it goes on at the rate, not with a burst. Errors: Cancelled.
  zokio::Task<zokio::Result<void>> used(uint64_t bytes) {
    if (rate_ == 0) co_return zokio::Result<void>();
    const double seconds = static_cast<double>(bytes) / static_cast<double>(rate_);
    const auto span = std::chrono::duration_cast<zokio::Duration>(
        std::chrono::duration<double>(std::min(seconds, kLongestSeconds)));
    free_at_ = std::max(free_at_, zokio::Instant::now()) + span;
    co_return co_await zokio::sleep_until(free_at_);
  }

 private:
  static constexpr double kLongestSeconds = 3600;  // of one block, however low the rate is

  const uint64_t rate_;
  zokio::Instant free_at_ = zokio::Instant::now();
};

}  // namespace zokiod::kinds
