// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace zokio::os {

// The processors that this process may really use: those of its affinity mask, at most as many as
// its cgroup's quota pays for (rounded up; cpu.max of version 2, cpu.cfs_quota_us of version 1, own
// group and its ancestors as far as they are visible). At least 1. Reads files: at start and at
// resizes, not on hot paths. Thread: any.
unsigned usable_cpus();

}  // namespace zokio::os
