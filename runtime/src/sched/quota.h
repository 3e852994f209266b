// SPDX-License-Identifier: Apache-2.0
#pragma once

// Follows the processor quota of the cgroup: a container may be given more or less while it runs,
// and more threads than the quota pays for are stopped by the kernel in the middle of a task.
//
// Looks at the quota of the own group and of every ancestor, because the least counts, at most once
// a second: it is a few small files. Thread: the control strand; quota() any.

#include <atomic>
#include <optional>
#include <string>

#include "zokio/base/clock.h"

namespace zokio::sched {

class QuotaFollower {
 public:
  static constexpr Duration kEvery = std::chrono::seconds(1);

  // `own_group` is the file that names the groups of this process, `mount` the root of the
  // hierarchy.
  explicit QuotaFollower(std::string own_group = "/proc/self/cgroup",
                         std::string mount = "/sys/fs/cgroup");

  // Reads the quota, if the last look is long enough ago. The workers it pays for, rounded up, at
  // least 1 and at most `most`, when that is not what it said last.
  std::optional<unsigned> look(Instant now, unsigned most);

  // Processors; 0: none.
  double quota() const noexcept { return quota_.load(std::memory_order_relaxed); }

 private:
  double read() const;

  const std::string own_group_;
  const std::string mount_;
  std::atomic<double> quota_{0};
  Instant next_{0};
  unsigned said_ = 0;
};

}  // namespace zokio::sched
