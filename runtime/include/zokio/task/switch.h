// SPDX-License-Identifier: Apache-2.0
#pragma once

// From one task straight to another, without a pass of the worker's loop. Bounded by
// kInlineSwitches for each poll, so that the loop's other duties come to their turn.

#include <coroutine>

#include "zokio/task/fork.h"
#include "zokio/task/header.h"

namespace zokio::task {

// The suspension of `next` has ended. What to resume: `next`, when it belongs to this worker's
// runtime and the poll may go on; nothing otherwise, and it is scheduled.
// Requires: the current task is suspended or gone, and the caller returns to the loop otherwise.
inline std::coroutine_handle<> switch_to(Header* next) noexcept {
  Context& c = context();
  if (c.switches == 0 || executor_of(next) != c.executor) [[unlikely]] {
    wake(next);
    return std::noop_coroutine();
  }
  if (c.forks->used()) [[unlikely]]
    c.fork_host->settle_forks();
  --c.switches;
  c.current = next;
  c.budget = kPollBudget;
  return next->resume_point;
}

// Takes `task` back from where schedule() just put it: true when it was the newest ready task of
// this worker; it is the caller's to run then.
inline bool take_newest(Header* task) noexcept {
  Context& c = context();
  if (c.lifo == nullptr || c.switches == 0 || c.lifo->load(std::memory_order_relaxed) != task)
    return false;
  Header* newest = task;
  if (!c.lifo->compare_exchange_strong(newest, nullptr, std::memory_order_acquire,
                                       std::memory_order_relaxed))
    return false;
  // Looked at only now: until then a thief may have it, and run it. Its arrival is measured in the
  // loop, so it goes back; nobody else puts one there.
  if ((task->status & Header::kProbed) != 0) [[unlikely]] {
    c.lifo->store(task, std::memory_order_release);
    return false;
  }
  mark_running(task);
  return true;
}

// The current task has been suspended, if it `waits`. What to resume: the newest ready task of this
// worker, mostly what the suspended one has just woken, by the rule of the worker's loop
// (Context::newest_left); nothing, when the loop has to choose; or `self`, which did not have to
// wait.
inline std::coroutine_handle<> after_suspend(bool waits, std::coroutine_handle<> self) noexcept {
  if (!waits) return self;
  Context& c = context();
  if (c.newest_left == 0 || c.lifo == nullptr) return std::noop_coroutine();
  Header* const newest = c.lifo->load(std::memory_order_relaxed);
  if (newest == nullptr || !take_newest(newest)) return std::noop_coroutine();
  --c.newest_left;
  return switch_to(newest);
}

}  // namespace zokio::task
