// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which processors belong to which memory node, and where memory is to come from.
// Nothing here allocates: the allocator asks.

#include <array>
#include <cstddef>
#include <cstdint>

namespace zokio::os {

inline constexpr unsigned kMaxNumaNodes = 8;

struct NumaNodes {
  static constexpr unsigned kMaxCpus = 1024;

  unsigned count = 1;
  std::array<uint8_t, kMaxCpus> of_cpu{};  // processors and nodes beyond: node 0
};

// Of the directory with online, node0/cpulist, node1/cpulist ... A machine that does not tell has
// one node. Keeps errno. Thread: any.
NumaNodes load_numa_nodes(const char* root = "/sys/devices/system/node") noexcept;

// Asks for pages of that node when those of [start, start + bytes) are first touched. A preference:
// without the right or the memory they come from elsewhere. Keeps errno. Thread: any.
void prefer_numa_node(void* start, std::size_t bytes, unsigned node) noexcept;

}  // namespace zokio::os
