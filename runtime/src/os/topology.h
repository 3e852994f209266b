// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

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

}  // namespace zokio::os
