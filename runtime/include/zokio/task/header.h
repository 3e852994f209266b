// SPDX-License-Identifier: Apache-2.0
#pragma once

// The task header: what the scheduler knows of a task. It is the first part of the promise of a
// spawned coroutine, so a task costs one frame and nothing else.
//
// Who may touch what:
//   next            the queue that holds the task (one at a time)
//   resume_point    the task itself before it suspends; then the worker that resumes it
//   ready_ns        whoever schedules; then the worker that resumes it
//   cancel, refs, joiner   any thread, by the rules of their types
//   the rest        constant after spawn
//
// A suspended task is resumed exactly once per suspension: the awaiter's own lock or state word
// arbitrates between the wake-up, the timer and the cancel. After await_suspend has published the
// awaiter, and after Executor::schedule, the frame may be gone: touch locals only.
//
// Invariant: refs >= 1 while the task is queued, running, suspended, or held by a JoinHandle.

#include <atomic>
#include <coroutine>
#include <cstdint>

#include "zokio/base/pinned.h"
#include "zokio/task/cancel.h"
#include "zokio/task/context.h"
#include "zokio/task/executor.h"

namespace zokio::task {

struct Header : Pinned {
  Header* next = nullptr;
  std::coroutine_handle<> resume_point{};
  Executor* executor = nullptr;
  CancelScope* scope = &cancel;  // innermost scope in force; changed by the task itself only
  int64_t ready_ns = 0;
  uint64_t id = 0;
  const char* name = "";                        // static string
  void (*destroy)(Header*) noexcept = nullptr;  // frees the frame

  std::atomic<uint32_t> refs{1};
  // null: running, nobody waits. kFinished: finished. Otherwise the task that waits for it.
  std::atomic<void*> joiner{nullptr};
  CancelScope cancel;  // the task's own scope

  // Links of the runtime's set of live tasks. Guarded by the set's lock.
  Header* live_next = nullptr;
  Header* live_prev = nullptr;

  void retain() noexcept { refs.fetch_add(1, std::memory_order_relaxed); }
  // Frees the frame when it was the last.
  // Ordering: acq_rel, so that the thread that frees sees every write made under the other refs.
  void release() noexcept {
    if (refs.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(this);
  }
};

inline void* const kFinished = reinterpret_cast<void*>(uintptr_t{1});

// The running task. Requires: called from a task.
inline Header* current_task() noexcept {
  return context().current;
}

// Suspends the current task at `h` and returns it. Call first in await_suspend, before publishing.
inline Header* suspend_current(std::coroutine_handle<> h) noexcept {
  Header* task = context().current;
  task->resume_point = h;
  return task;
}

// Ends a suspension. Thread: any. The task may be gone when this returns.
inline void wake(Header* task) noexcept {
  task->executor->schedule(task);
}

}  // namespace zokio::task
