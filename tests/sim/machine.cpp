// SPDX-License-Identifier: Apache-2.0
//
// The machine that simulations run on, in place of os/topology.cpp: the worker of slot n sits on
// processor n, and two neighbours share a cache. What the real machine has, and where the kernel
// puts the one thread of a simulation, must not show in a run.

#include <string>

#include "os/topology.h"
#include "zokio/task/context.h"

namespace zokio::os {
namespace {

constexpr uint32_t kProcessors = 256;  // as many as there are slots

}  // namespace

unsigned usable_cpus() {
  return kProcessors;
}

double cgroup_cpu_quota(const std::string&, const std::string&) {
  return kNoCpuQuota;
}

uint32_t current_cpu() noexcept {
  return task::context().worker;
}

CacheDomains CacheDomains::load(const std::string&) {
  CacheDomains out;
  for (uint32_t cpu = 0; cpu < kProcessors; ++cpu) out.domains_.push_back(cpu / 2 * 2);
  out.one_ = false;
  return out;
}

}  // namespace zokio::os
