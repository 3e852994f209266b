// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "zokio/base/clock.h"

namespace zokio {

// What a resize did.
struct ResizeReport {
  std::string component;  // "workers", "reactors", "rings", "receive_buffers", "pool.frames", ...
  uint64_t from = 0;
  uint64_t requested = 0;
  uint64_t reached = 0;      // when the report was made
  uint64_t moved_tasks = 0;  // handed over by retiring workers
  uint64_t moved_timers = 0;
  uint64_t reissued_ops = 0;    // operations that went to another reactor
  uint64_t released_bytes = 0;  // pools: given back to the system
  uint64_t residual_bytes = 0;  // pools: still above the limit
  Duration took{};
  // Rings: how, reactor by reactor ("2 in place, 1 replaced"), and why not better ("reactor 1:
  // EINVAL", which is a kernel that cannot do it in place). Empty otherwise.
  std::string way;
  std::string reason;
};

}  // namespace zokio
