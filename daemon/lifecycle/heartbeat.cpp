// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/heartbeat.h"

#include <fmt/format.h>

namespace zokiod::lifecycle {
namespace {

double seconds(int64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

}  // namespace

std::vector<std::string> stuck_parts(const zokio::SchedulerSnapshot& scheduler,
                                     int64_t writer_heartbeat_ns, int64_t now_ns,
                                     zokio::Duration limit) {
  std::vector<std::string> out;
  for (const zokio::WorkerSnapshot& worker : scheduler.workers) {
    const bool busy =
        worker.state == zokio::WorkerState::Running || worker.state == zokio::WorkerState::Retiring;
    const int64_t age = now_ns - worker.heartbeat_ns;
    if (busy && age > limit.count())
      out.push_back(fmt::format("worker {}: in one task for {:.1f} s", worker.slot, seconds(age)));
  }
  const int64_t age = now_ns - writer_heartbeat_ns;
  if (age > limit.count())
    out.push_back(fmt::format("store writer: no sign for {:.1f} s", seconds(age)));
  return out;
}

}  // namespace zokiod::lifecycle
