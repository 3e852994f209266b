// SPDX-License-Identifier: Apache-2.0
#pragma once

// The memory node of this thread. On a machine with one node every thread is on node 0, and nothing
// of this costs more than a look at a number.
// Thread: any.

#include <atomic>
#include <cstdint>

#include "os/numa.h"

namespace zokio::mem {

inline constexpr unsigned kMaxNodes = os::kMaxNumaNodes;

namespace internal {
// 0: not looked yet. Ordering: release and acquire, for the table beside it.
extern constinit std::atomic<unsigned> node_count;
unsigned look_for_nodes() noexcept;
unsigned node_of_this_cpu() noexcept;
}  // namespace internal

inline unsigned numa_nodes() noexcept {
#ifdef ZOKIO_MODEL
  return 1;
#else
  const unsigned count = internal::node_count.load(std::memory_order_acquire);
  return count != 0 ? count : internal::look_for_nodes();
#endif
}

// Below numa_nodes(). The thread may be moved right after.
inline unsigned this_node() noexcept {
  return numa_nodes() == 1 ? 0 : internal::node_of_this_cpu();
}

// Tests: a machine with so many nodes, and for each thread the one it says to be on. 0: the real
// one. Requires: no pool holds memory.
void fake_numa(unsigned nodes) noexcept;
void set_fake_node(unsigned node) noexcept;  // of this thread

}  // namespace zokio::mem
