// SPDX-License-Identifier: Apache-2.0
#pragma once

// Timer: the handle of one armed deadline. It lives in the awaiter or the guard that wants it; what
// the wheel holds is a node of its own, so dropping a handle never waits for the worker whose wheel
// has the node, and takes no lock.
//
// Life of a node: Armed -> Fired             a task to wake; whoever makes this step wakes it
//                       -> Firing -> Fired   a callback; cancel() waits for its end
//                       -> Cancelled         by another thread; the owner drops it at its next pass
// The owner of the node (the worker whose wheel holds it) takes a cancelled one out at once.
// Thread: arm() on a worker; one thread at a time uses a handle, on any; firing is another matter
// and may happen meanwhile. docs/timers.md has the protocol.

#include <utility>

#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"

namespace zokio::task {
struct Header;
}

namespace zokio::time {

struct TimerNode;

// Whether `t` is in the future, or was until a moment ago: looks at the clock only when it is near.
// Thread: any.
bool is_ahead(Instant t) noexcept;

class Timer : Pinned {
 public:
  using Callback = void (*)(void*) noexcept;

  Timer() = default;
  ~Timer() {
    if (node_ != nullptr) drop();
  }

  // Arms it on the current worker's timers: at the deadline, and never before, `wakes` is woken.
  // One that is armed already is cancelled first. Requires: called on a worker of a runtime.
  void arm(Instant deadline, task::Header* wakes) noexcept;
  // The same, but fn(arg) is called, on the worker that owns the timer then. It is short, takes no
  // lock that is held while a timer is cancelled, and does not destroy this timer.
  void arm(Instant deadline, Callback fn, void* arg) noexcept;

  // Disarms. True: it will not fire and did not (or was not armed). False: it fired, and a callback
  // that ran on another thread has ended.
  // Thread: any. Idempotent.
  bool cancel() noexcept;

  // cancel() for a timer that wakes a task: the task when it was disarmed and so has to be woken by
  // the caller, or null.
  task::Header* cancel_wake_up() noexcept;

  // True from the moment it fired until it is armed again.
  bool fired() const noexcept;

  // For a task that was woken, and knows that it was by this timer or by whoever cancelled it: true
  // when it was the timer. Costs no look at the node, which may be far away by now.
  // Requires: armed to wake the calling task, and that wake-up has come.
  bool take_wake_up() noexcept;

 private:
  void drop() noexcept;

  TimerNode* node_ = nullptr;
};

}  // namespace zokio::time
