// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a task waits for one thing, and how a cancel reaches it there.
//
// A leaf awaiter derives from Wait. In await_suspend it calls begin_wait(), which makes the wait
// visible to cancellers, looks once whether the task is cancelled already, and publishes the
// awaiter to what it waits for. In await_resume it calls end_wait() first. Between the two a cancel
// may call ops->interrupt(), which takes the awaiter back from what it waits for and, when it was
// the one to take it, wakes the task.
//
// The word Header::wait, a closed list:
//   0                       not waiting, or in a wait that cannot be cancelled
//   Wait* | kWaitBusy       begin_wait() is publishing; cancellers wait for the bit to go
//   Wait*                   waiting
//   Wait* | kWaitInterrupt  a canceller is inside interrupt(), or a dump reads the frames of the
//                           task; end_wait() and other cancellers wait for its end
// 0 -> busy -> waiting by the task; waiting -> interrupt -> 0 by a canceller, or waiting -> 0 by
// the task. So a wait is interrupted at most once. A dump: waiting -> interrupt -> waiting.
//
// Nothing is missed: the task stores the word and then reads the cancel flags, a canceller sets a
// flag and then reads the word, each with a full fence in between.

#include <concepts>

#include "zokio/base/fence.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/cancel.h"
#include "zokio/task/header.h"

namespace zokio::task {

struct Wait;

struct WaitOps {
  // Takes the awaiter back and wakes its task, unless the wake-up is on its way already.
  // Thread: any; the awaiter stays alive until this returns. Takes the resource's lock at most.
  void (*interrupt)(Wait*) noexcept;
  const char* name;  // what is waited for, as a task dump shows it: "oneshot", "sleep", "read"
};

struct Wait {
  explicit constexpr Wait(const WaitOps* o) noexcept : ops(o) {}
  Wait() noexcept {}  // ops is set before begin_wait()
  const WaitOps* ops;
};

inline constexpr uintptr_t kWaitBusy = 1;
inline constexpr uintptr_t kWaitInterrupt = 2;
inline constexpr uintptr_t kWaitBits = kWaitBusy | kWaitInterrupt;

// Calls `publish` (bool() noexcept), which hands the awaiter to what it waits for; what it returns
// is returned: false when there is no need to wait. False without calling it when `self` is
// cancelled. After publish the task may run elsewhere: nothing of the awaiter is touched, and the
// task waits in end_wait() until the last store here.
// Requires: `self` is the current task, suspended by suspend_current(); it calls end_wait() next.
template <class Publish>
bool begin_wait(Header* self, Wait* wait, Publish publish) noexcept {
  const uintptr_t word = reinterpret_cast<uintptr_t>(wait);
  self->wait.store(word | kWaitBusy, std::memory_order_relaxed);
  full_fence();
  const bool waits = !cancelled(self) && publish();
  self->wait.store(waits ? word : 0, std::memory_order_release);
  return waits;
}

// For a wait that cannot be cancelled: shows it to dumps. Call it before the awaiter is published,
// with an interrupt() that does nothing (ignore_interrupt), and end_wait() as above.
inline void show_wait(Header* self, Wait* wait) noexcept {
  self->wait.store(reinterpret_cast<uintptr_t>(wait), std::memory_order_release);
}
inline void ignore_interrupt(Wait*) noexcept {}

// end_wait(), when somebody is at the word.
[[gnu::noinline]] inline void end_contended_wait(Header* self) noexcept {
  uintptr_t word = self->wait.load(std::memory_order_acquire);
  for (int spins = 0; word != 0; ++spins) {
    if ((word & kWaitBits) == 0 &&
        self->wait.compare_exchange_weak(word, 0, std::memory_order_acquire,
                                         std::memory_order_acquire))
      return;
    spin_pause(spins);
    word = self->wait.load(std::memory_order_acquire);
  }
}
// The wait is over: no canceller touches the awaiter from here on. Idempotent.
inline void end_wait(Header* self) noexcept {
  // Ordering: acquire pairs with the canceller's last store; what interrupt() did is seen.
  uintptr_t word = self->wait.load(std::memory_order_acquire);
  if (word == 0) return;
  if ((word & kWaitBits) != 0 || !self->wait.compare_exchange_strong(
                                     word, 0, std::memory_order_acquire, std::memory_order_relaxed))
      [[unlikely]]
    end_contended_wait(self);
}

}  // namespace zokio::task
