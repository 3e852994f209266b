// SPDX-License-Identifier: Apache-2.0
#pragma once

// Stalls: a task that keeps its worker for long without awaiting anything. Found by the runtime's
// watchdog; docs/diagnostics.md says how, and what a report costs.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "zokio/base/clock.h"

namespace zokio {

struct StallOptions {
  // Zero: no detection. The watchdog looks every 4 ms, so a report comes up to three looks later.
  Duration threshold = std::chrono::milliseconds(25);
  // Reports, each with a signal to the worker. Stalls beyond are counted only.
  unsigned max_per_minute = 5;

  StallOptions() {}
};

struct StallReport {
  uint64_t task = 0;      // its id; 0 when it ended before it could be looked up
  std::string task_name;  // "" for none
  uint32_t worker = 0;
  Duration duration{};  // until the stack was taken, without the time the system ran other threads
  int64_t at_ns = 0;    // monotonic instant of that
  // The worker's stack, innermost first. Empty when its thread did not take the signal in time.
  std::vector<std::string_view> stack;

  std::string to_text() const;
};

// Thread: the watchdog's. Keep it short: while it runs, nobody watches.
using StallCallback = std::function<void(const StallReport&)>;

// What is done about a worker that is stuck in one task.
enum class Compensation : uint8_t {
  None,         // its ready tasks wait, except for what others steal when they come by
  Wake,         // others are woken for what it has ready
  ExtraWorker,  // and if work is left waiting, a worker more is started until it is back
};

}  // namespace zokio
