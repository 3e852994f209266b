// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a timer needs of a worker: the thread's context says whose timers are its own.

#include <atomic>
#include <utility>

#include "time/timers.h"
#include "zokio/task/context.h"

namespace zokio::test {

// While it lives, this thread is the worker that owns `timers` (null: no worker at all).
class WorkerStub : Pinned {
 public:
  explicit WorkerStub(time::Timers* timers) noexcept
      : outer_(std::exchange(task::context().timers, timers)) {}
  ~WorkerStub() { task::context().timers = outer_; }

 private:
  time::Timers* outer_;
};

// A timer that counts how often it fired.
class Counted {
 public:
  void arm(Instant deadline) noexcept { timer_.arm(deadline, &count, this); }
  bool cancel() noexcept { return timer_.cancel(); }
  bool fired() const noexcept { return timer_.fired(); }
  int calls() const noexcept { return calls_.load(std::memory_order_relaxed); }

 private:
  static void count(void* self) noexcept {
    static_cast<Counted*>(self)->calls_.fetch_add(1, std::memory_order_relaxed);
  }
  std::atomic<int> calls_{0};
  time::Timer timer_;
};

}  // namespace zokio::test
