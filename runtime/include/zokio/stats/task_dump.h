// SPDX-License-Identifier: Apache-2.0
#pragma once

// What Runtime::dump() yields: the live tasks of a runtime, what each waits for, and through which
// coroutines. docs/diagnostics.md says how it is made and what it costs.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "zokio/base/clock.h"

namespace zokio {

struct DumpOptions {
  std::size_t max_tasks = 100'000;
  unsigned max_depth = 64;  // of a chain; at most kDumpDepth

  DumpOptions() {}
};
inline constexpr unsigned kDumpDepth = 64;

enum class TaskState : uint8_t {
  Running,  // on a worker
  Ready,    // to run
  Waiting,  // for something, or its wake-up is on its way
};

struct DumpedTask {
  uint64_t id = 0;
  std::string_view name;  // as given to spawn_named(); "" for none
  TaskState state = TaskState::Ready;
  uint32_t worker = 0;         // Running: which one
  std::string_view waits_for;  // Waiting: "join", "sleep", "read", ...; "something" when
                               // it went in or out just then
  // The coroutines that await each other, innermost first, the task's own last. Of a task that does
  // not wait only the last, and none of one that ends. Names stay valid as long as the process.
  std::vector<std::string_view> chain;
  bool complete =
      false;  // the chain has no gap; false: too deep, or a coroutine of another library
};

struct TaskDump {
  std::vector<DumpedTask> tasks;
  // When the dump began. More than tasks.size() when it was cut short, and when there are tasks
  // without a name that have not awaited anything yet: these are only counted.
  uint64_t alive = 0;
  bool truncated = false;   // by max_tasks
  Duration took{};          // in all, naming included
  Duration longest_hold{};  // that one task was kept from going on

  // A block of lines for each task.
  std::string to_text() const;
  // {"alive":2,"truncated":false,"tasks":[{"id":1,"name":"","state":"waiting","worker":null,
  //  "waits_for":"sleep","complete":true,"chain":["inner()","outer()"]}, ...]}
  std::string to_json() const;
};

}  // namespace zokio
