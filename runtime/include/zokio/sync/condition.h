// SPDX-License-Identifier: Apache-2.0
#pragma once

// Waits for a condition that a Mutex guards. Eight bytes.
//
//   auto guard = co_await mutex.lock();
//   while (queue.empty()) ZOKIO_CO_CHECKED(co_await condition.wait(*guard));
//
// A notification moves the waiter to the queue of the mutex instead of waking it to wait again, so
// a wait is one suspension and notify_all() wakes nobody in vain.
// Thread: notify_one and notify_all from any thread, with or without the mutex.
//
// The word, a closed list (waiter.h): 0 nobody waits; the FIFO of those who wait.

#include "zokio/base/assert.h"
#include "zokio/sync/mutex.h"

namespace zokio::sync {

class Condition : Pinned {
 public:
  // Gives up the mutex, waits for a notification, and has the mutex again when it returns, whatever
  // the result. Result<void>: Cancelled when the task was asked to stop first. There are no
  // spurious wake-ups, but another task may have been in between: look again.
  // Requires: `held` holds a mutex, for all waiters of this condition the same one.
  auto wait(Mutex::Guard& held) noexcept { return Wait(*this, held); }

  void notify_one() noexcept;
  void notify_all() noexcept;

 private:
  using Word = internal::WaitWord;

  class [[nodiscard]] Wait : internal::Waiter {
   public:
    Wait(Condition& condition, Mutex::Guard& held) noexcept
        : condition_(condition), mutex_(held.mutex_) {
      ZOKIO_CHECK(mutex_ != nullptr, "a wait for a condition gives up a mutex: hold it");
    }
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      return suspend(&kOps, h, [this]() noexcept { return condition_.enqueue(this); });
    }
    Result<void> await_resume() noexcept {
      // Taken by an unlock of the mutex, in both cases; not taken: it never waited.
      if (woken() && notified_) return {};
      return fail(Errc::Cancelled, "condition");
    }

   private:
    friend class Condition;
    static void interrupt(task::Wait* base) noexcept;
    static constexpr task::WaitOps kOps{&interrupt, "condition"};

    Condition& condition_;
    Mutex* const mutex_;
    // Guarded by the condition's word. In its FIFO; afterwards the node belongs to the mutex.
    bool here_ = false;
    bool notified_ = false;
  };

  bool enqueue(Wait* waiter) noexcept;
  // Requires: the node has left the condition's FIFO.
  static void move_to_mutex(Wait* waiter) noexcept;

  Word word_;
};

}  // namespace zokio::sync
