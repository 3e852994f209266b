// SPDX-License-Identifier: Apache-2.0
#pragma once

// Trace events of a runtime, recorded between Runtime::start_trace() and stop_trace().

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zokio {

enum class TraceKind : uint16_t {
  Run,       // one resumption of a task: when, how long, and which wait it came back from
  Spawn,     // a task came to be
  Wake,      // a task became ready
  End,       // a task ended
  Steal,     // of `value` tasks
  Park,      // the worker slept for `value` ns
  Maintain,  // the worker saw to timers, I/O and orders
  Resize,    // to `value` workers
};

struct TraceEvent {
  int64_t at_ns = 0;           // monotonic
  uint64_t task = 0;           // id; 0 for none
  uint64_t value = 0;          // ns of a Run and a Park, else see the kind
  const void* code = nullptr;  // Run: the coroutine that went on
  const char* text = nullptr;  // Run: the wait that ended, null at the first; Spawn: the name
  uint32_t thread = 0;         // worker slot; kTraceOutside for all other threads
  TraceKind kind{};
};
inline constexpr uint32_t kTraceOutside = UINT32_MAX;

struct Trace {
  std::vector<TraceEvent> events;  // by time
  uint64_t lost = 0;               // overwritten: older than what the rings hold

  // The JSON of chrome://tracing, which ui.perfetto.dev opens: a row for each worker.
  std::string to_chrome_json() const;
};

}  // namespace zokio
