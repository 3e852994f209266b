// SPDX-License-Identifier: Apache-2.0
#include "mem/numa.h"

#include <sched.h>

namespace zokio::mem {
namespace {

// Written by whoever looks first; others that look at the same moment write the same.
constinit std::array<std::atomic<uint8_t>, os::NumaNodes::kMaxCpus> node_of_cpu{};
constinit std::atomic<unsigned> faked{0};
constinit thread_local unsigned fake_node = 0;

}  // namespace

namespace internal {

constinit std::atomic<unsigned> node_count{0};

unsigned look_for_nodes() noexcept {
  const os::NumaNodes nodes = os::load_numa_nodes();
  for (unsigned cpu = 0; cpu < os::NumaNodes::kMaxCpus; ++cpu)
    node_of_cpu[cpu].store(nodes.of_cpu[cpu], std::memory_order_relaxed);
  node_count.store(nodes.count, std::memory_order_release);
  return nodes.count;
}

unsigned node_of_this_cpu() noexcept {
  if (faked.load(std::memory_order_relaxed) != 0) return fake_node;
  const int cpu = ::sched_getcpu();
  if (cpu < 0 || cpu >= static_cast<int>(os::NumaNodes::kMaxCpus)) return 0;
  return node_of_cpu[static_cast<unsigned>(cpu)].load(std::memory_order_relaxed);
}

}  // namespace internal

void fake_numa(unsigned nodes) noexcept {
  faked.store(nodes, std::memory_order_relaxed);
  internal::node_count.store(nodes, std::memory_order_release);
}
void set_fake_node(unsigned node) noexcept {
  fake_node = node;
}

}  // namespace zokio::mem
