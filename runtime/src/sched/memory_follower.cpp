// SPDX-License-Identifier: Apache-2.0
#include "sched/memory_follower.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "os/cgroup_memory.h"

namespace zokio::sched {

MemoryFollower::MemoryFollower(std::string own_group, std::string mount)
    : own_group_(std::move(own_group)), mount_(std::move(mount)), asked_(mem::total_limit()) {}

MemoryFollower::~MemoryFollower() {
  if (short_) mem::set_pressure(false);
}

uint64_t MemoryFollower::least(uint64_t asked) const noexcept {
  const auto part = static_cast<uint64_t>(static_cast<double>(limit_bytes()) * kPoolsShare);
  return asked == 0 ? part : part == 0 ? asked : std::min(asked, part);
}

Result<mem::LimitReport> MemoryFollower::ask(uint64_t bytes, bool force) {
  const std::scoped_lock lock(mutex_);
  ZOKIO_TRY(mem::LimitReport report, mem::set_total_limit(least(bytes), force));
  asked_ = bytes;
  return report;
}

void MemoryFollower::look(Instant now) {
  if (seen_ && now < last_ + kEvery) return;
  std::ifstream file(own_group_);
  std::ostringstream groups;
  groups << file.rdbuf();
  const os::CgroupMemory group = os::cgroup_memory(groups.str(), mount_);
  used_.store(group.used_bytes, std::memory_order_relaxed);
  if (limit_.exchange(group.limit_bytes, std::memory_order_relaxed) != group.limit_bytes) {
    const std::scoped_lock lock(mutex_);
    // The group's limit cannot be refused; the pools shrink as blocks are freed.
    static_cast<void>(mem::set_total_limit(least(asked_), /*force=*/true));
  }

  bool sign = group.fullest > kFull;
  if (seen_) {
    const double passed_us = static_cast<double>((now - last_).count()) / 1000;
    sign |= group.events > events_;
    sign |= static_cast<double>(group.stalled_us) - static_cast<double>(stalled_us_) >
            passed_us * kStalled;
  }
  events_ = group.events;
  stalled_us_ = group.stalled_us;
  last_ = now;
  seen_ = true;

  if (sign) {
    sign_ = now;
    if (short_ && now < trimmed_ + kTrimEvery) return;
    short_ = true;
    trimmed_ = now;
    mem::set_pressure(true);
  } else if (short_ && now >= sign_ + kQuiet) {
    short_ = false;
    mem::set_pressure(false);
  }
}

}  // namespace zokio::sched
