// SPDX-License-Identifier: Apache-2.0
#pragma once

// The short way of a task into its runtime and out again: a spawn from a worker of the same runtime
// and the end of a task that was never listed only count. Everything else asks the executor.

#include <array>
#include <atomic>

#include "zokio/stats/counter.h"
#include "zokio/task/header.h"

namespace zokio::task {

// What one worker counts of tasks. One writer, any reader.
struct Ledger {
  stats::Counter spawned;
  std::array<stats::Counter, 3> finished;  // by Ending
};

// Executor::adopt, for the usual case without the call.
inline void adopt(Executor& executor, Header* task, const char* name) noexcept {
  const Context& c = context();
  if (c.executor != &executor || *name != '\0' || c.ledger == nullptr ||
      c.unusual->load(std::memory_order_relaxed) != 0) [[unlikely]]
    return executor.adopt(task, name);
  task->group = c.group;
  task->slot = kUnlisted;
  c.ledger->spawned.add();
}

// Executor::finished likewise. Thread: the one that ran the task to its end.
inline void leave(Header* task, Ending ending) noexcept {
  const Context& c = context();
  Executor* const executor = executor_of(task);
  if (task->slot != kUnlisted || c.executor != executor || c.ledger == nullptr ||
      c.unusual->load(std::memory_order_relaxed) != 0) [[unlikely]]
    return executor->finished(task, ending);
  c.ledger->finished[static_cast<std::size_t>(ending)].add();
}

}  // namespace zokio::task
