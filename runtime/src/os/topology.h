// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace zokio::os {

// The processors that this process may really use: those of its affinity mask, at most as many as
// its cgroup's quota pays for (rounded up; cpu.max of version 2, cpu.cfs_quota_us of version 1, own
// group and its ancestors as far as they are visible). At least 1. Reads files: at start and at
// resizes, not on hot paths. Thread: any.
unsigned usable_cpus();

// The processors that the quotas of the groups in `groups` (the text of /proc/self/cgroup) pay for,
// with the hierarchies mounted under `mount`; kNoCpuQuota when none of them has one.
inline constexpr double kNoCpuQuota = 1e9;
double cgroup_cpu_quota(const std::string& groups, const std::string& mount = "/sys/fs/cgroup");

// The processor that this thread is on. A few nanoseconds. Thread: any.
uint32_t current_cpu() noexcept;

// Which processors share their largest cache. A value; reads files when it is loaded.
class CacheDomains {
 public:
  // `root`: the directory with cpu0, cpu1 ... A machine that does not tell is taken as one domain.
  static CacheDomains load(const std::string& root = "/sys/devices/system/cpu");

  bool one() const noexcept { return one_; }
  // A processor that was not there at load() shares with all.
  bool shared(uint32_t a, uint32_t b) const noexcept {
    return a >= domains_.size() || b >= domains_.size() || domains_[a] == domains_[b];
  }

 private:
  std::vector<uint32_t> domains_;  // by processor: the lowest number of its domain
  bool one_ = true;
};

}  // namespace zokio::os
