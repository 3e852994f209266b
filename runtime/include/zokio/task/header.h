// SPDX-License-Identifier: Apache-2.0
#pragma once

// The task header: what the scheduler knows of a task. It is the first part of the promise of every
// Task coroutine and costs 40 bytes; only a spawned one initialises it, for a task that is merely
// awaited it is spare room.
//
// Who may touch what:
//   next            the queue that holds the task (one at a time)
//   resume_point    the task itself before it suspends; then whoever resumes it
//   frame_bytes     after the end: whoever frees the memory
//   scope           the task itself, under its lock when it removes one; cancellers under the lock
//   wait            wait.h
//   flags           any thread, by the rules of Flag
//   status          the task itself; after its end the owner of its handle
//   slot            the task itself, once, or its spawn; read by any
//   group           constant after spawn
//
// A suspended task is resumed exactly once per suspension: the awaiter's own lock or state word
// arbitrates between the wake-up, the timer and the cancel. After await_suspend has published the
// awaiter, and after Executor::schedule, the frame may be gone: touch locals only.

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "zokio/base/assert.h"
#include "zokio/base/atomic.h"
#include "zokio/base/pinned.h"
#include "zokio/task/context.h"
#include "zokio/task/executor.h"

namespace zokio::task {

class CancelScope;

struct Header : Pinned {
  enum Flag : uint8_t {
    kLocked = 1,     // guards the scopes of the task: cancel.h
    kCancelled = 2,  // set under the lock, once
  };
  // Plain: the task writes it, then its end publishes it; kProbed by whoever schedules the task.
  enum Status : uint8_t {
    kValue = 1,      // the promise holds a value
    kException = 2,  // it holds an exception
    kProbed = 4,     // the time until it runs is being measured
    kQueued = 8,     // checked builds: it is ready
    kOwning = 16,    // its parameters have destructors
    kEnding = 32,    // its coroutine is being destroyed, or was
  };

  Header() noexcept {}  // uninitialised on purpose: most frames are never spawned

  Header* next;
  union {
    std::coroutine_handle<> resume_point;
    std::size_t frame_bytes;  // after the end: what to free
  };
  Atomic<CancelScope*> scope;  // innermost one in force; null: only the task's own flag
  Atomic<uintptr_t> wait;
  uint32_t slot;   // in the executor's list of live tasks, or kUnlisted
  uint16_t group;  // whose executor runs it: executor_table
  Atomic<uint8_t> flags;
  uint8_t status = 0;  // Status bits
};

// Checked builds: a suspension ends once, so a task is made ready once.
inline void mark_queued([[maybe_unused]] Header* task) noexcept {
#ifdef ZOKIO_DEBUG_CHECKS
  ZOKIO_CHECK((task->status & Header::kQueued) == 0, "a suspension was ended twice");
  task->status |= Header::kQueued;
#endif
}
inline void mark_running([[maybe_unused]] Header* task) noexcept {
#ifdef ZOKIO_DEBUG_CHECKS
  task->status &= static_cast<uint8_t>(~Header::kQueued);
#endif
}

// Every executor of the process, by group. A table, so that a header holds two bytes for it and not
// eight. Entries are set before their first task and cleared after the last.
inline constexpr unsigned kGroups = 4096;
extern std::array<std::atomic<Executor*>, kGroups> executor_table;
// A free entry, for `executor`; kNoGroup when all are taken. Thread: any.
inline constexpr uint16_t kNoGroup = UINT16_MAX;
uint16_t acquire_group(Executor* executor) noexcept;
void release_group(uint16_t group) noexcept;

inline Executor* executor_of(const Header* task) noexcept {
  // A task may move to another group while others look at its handle.
  const uint16_t group = __atomic_load_n(&task->group, __ATOMIC_RELAXED);
  return executor_table[group].load(std::memory_order_relaxed);
}

// A task gets its place in the list of live tasks when it awaits for the first time, because most
// tasks are short and never do: being listed and leaving again is a third of what they cost.
inline constexpr uint32_t kUnlisted = UINT32_MAX;
void enlist(Header* task) noexcept;  // Requires: the current task, unlisted

// The running task. Requires: called from a task.
inline Header* current_task() noexcept {
  return context().current;
}

// Suspends the current task at `h` and returns it. Call first in await_suspend, before publishing.
inline Header* suspend_current(std::coroutine_handle<> h) noexcept {
  Header* task = context().current;
  task->resume_point = h;
  if (task->slot == kUnlisted) [[unlikely]]
    enlist(task);
  return task;
}

// Ends a suspension. Thread: any. The task may be gone when this returns.
inline void wake(Header* task) noexcept {
  executor_of(task)->schedule(task);
}

// Whether the current poll may go on although it never had to wait. False once it has done
// kPollBudget ready steps: the awaiter then gives the others a turn (schedule_last) and goes on
// with its result. Source: Tokio's cooperative budget. Thread: a task's.
inline bool consume_budget() noexcept {
  Context& c = context();
  if (c.budget == 0) [[unlikely]]
    return false;
  --c.budget;
  return true;
}

// Uses up to `units` more of it, for what took so much longer than one.
inline void consume_budget(uint64_t units) noexcept {
  Context& c = context();
  c.budget -= static_cast<uint32_t>(units < c.budget ? units : c.budget);
}

}  // namespace zokio::task
