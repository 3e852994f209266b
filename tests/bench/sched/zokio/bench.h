// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files of the zokio program share. Only the public interface of the runtime is used, as a
// careful user would: coroutine functions without captures, arguments by value, pointers to what
// the outside thread keeps alive until every task has ended.

#include <zokio/zokio.h>

#include <memory>

#include "../harness.h"

namespace bench {

inline std::unique_ptr<zokio::Runtime> start(const Config& config) {
  zokio::RuntimeOptions options;
  options.workers = config.workers;
  // As many blocking threads as workers, for every peer: the pool's default size is no property of
  // its speed.
  options.blocking_threads = config.workers;
  auto runtime = zokio::Runtime::create(options);
  if (!runtime) {
    std::fprintf(stderr, "no runtime: %s\n", runtime.error().where);
    std::exit(2);
  }
  return std::move(*runtime);
}

// Tables of the themes; main.cpp joins them.
std::span<const Workload> spawn_workloads();
std::span<const Workload> tree_workloads();
std::span<const Workload> fork_workloads();
std::span<const Workload> turn_workloads();
std::span<const Workload> sync_workloads();
std::span<const Workload> time_workloads();
std::span<const Workload> blocking_workloads();
std::span<const Workload> parked_workloads();
std::span<const Workload> wake_workloads();

}  // namespace bench
