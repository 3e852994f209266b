// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the cgroups of this process allow it in memory, and how close it is to that. Version 2, and
// of version 1 limit and usage. Of the own group and of every ancestor, because the least counts.
// Thread: any.

#include <cstdint>
#include <string>

namespace zokio::os {

struct CgroupMemory {
  uint64_t limit_bytes = 0;  // the least of all limits (memory.max, memory.high); 0: none
  uint64_t used_bytes = 0;   // where that limit is; without files the kernel can drop at once
  double fullest = 0;        // the largest share of a limit that is used, of all levels
  uint64_t events = 0;       // times the own group hit memory.high or memory.max
  uint64_t stalled_us = 0;   // how long some task of it waited for memory (memory.pressure)
};

// `groups` is the text of /proc/self/cgroup.
CgroupMemory cgroup_memory(const std::string& groups, const std::string& mount = "/sys/fs/cgroup");

}  // namespace zokio::os
