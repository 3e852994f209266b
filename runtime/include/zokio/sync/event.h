// SPDX-License-Identifier: Apache-2.0
#pragma once

// A flag that tasks wait for; once set it stays set until reset.
// Thread: set, reset and is_set from any thread, also from outside the runtime.

#include "zokio/sync/waiter.h"

namespace zokio::sync {

class Event : Pinned {
 public:
  // Wakes everybody who waits. Idempotent. The flag is set once, together with taking the waiters:
  // a waiter that resets it as soon as it runs finds it reset.
  void set() noexcept {
    task::Header* woken;
    {
      std::scoped_lock guard(waiters_);
      set_ = true;
      woken = waiters_.take_all();
    }
    internal::wake_all(woken);
  }
  void reset() noexcept {
    std::scoped_lock guard(waiters_);
    set_ = false;
  }
  bool is_set() const noexcept {
    std::scoped_lock guard(waiters_);
    return set_;
  }

  // Result<void>: Cancelled when the task was asked to stop first.
  auto wait() noexcept { return Wait(*this); }

 private:
  class [[nodiscard]] Wait : internal::Waiter {
   public:
    explicit Wait(Event& event) noexcept : event_(event) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
      return wait_in(event_.waiters_, h, [this]() noexcept { return event_.set_; });
    }
    Result<void> await_resume() noexcept {
      if (woken()) return {};
      return fail(Errc::Cancelled, "event");
    }

   private:
    Event& event_;
  };

  mutable internal::WaitList waiters_;
  bool set_ = false;  // guarded by waiters_
};

}  // namespace zokio::sync
