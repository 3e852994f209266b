// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whether the daemon lives, as one answer for the watchdog and for /livez: every worker that runs
// passed its loop lately, and the store's writer did. A parked worker has nothing to do and is
// fine. Thread: pure.

#include <cstdint>
#include <string>
#include <vector>

#include "zokio/base/clock.h"
#include "zokio/stats/snapshot.h"

namespace zokiod::lifecycle {

// One line for each part that is stuck; empty: all live. `now_ns`: the monotonic clock.
std::vector<std::string> stuck_parts(const zokio::SchedulerSnapshot& scheduler,
                                     int64_t writer_heartbeat_ns, int64_t now_ns,
                                     zokio::Duration limit);

}  // namespace zokiod::lifecycle
