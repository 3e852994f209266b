// SPDX-License-Identifier: Apache-2.0
#pragma once

// Wakes tasks that wait for something to change; carries nothing itself. Eight bytes.
//
// notify_one() without a waiter leaves one permit, so a task that looks at the state, finds nothing
// and then waits misses nothing; permits do not add up. Source: the semantics of Tokio's Notify.
// Thread: notify_one and notify_all from any thread, also from outside the runtime.
//
// The word, a closed list (waiter.h): 0 nothing; 1 a permit; the FIFO of those who wait.

#include "zokio/sync/waiter.h"

namespace zokio::sync {

class Notify : Pinned {
 public:
  // Wakes the oldest waiter, or lets the next wait() through.
  void notify_one() noexcept {
    uintptr_t word = word_.load(std::memory_order_relaxed);
    while (word == kNothing || word == kPermit)
      // Ordering: release, also over a permit: who takes it sees what came before.
      if (word_.change(word, kPermit, std::memory_order_release)) return;
    wake_one();
  }
  // Wakes those who wait; leaves no permit.
  void notify_all() noexcept;

  // Result<void>: Cancelled when the task was asked to stop first; then it has not consumed a
  // notification.
  auto wait() noexcept { return Wait(*this); }

 private:
  using Word = internal::WaitWord;
  static constexpr uintptr_t kNothing = Word::of(0);
  static constexpr uintptr_t kPermit = Word::of(1);

  class [[nodiscard]] Wait : internal::Waiter {
   public:
    explicit Wait(Notify& notify) noexcept : notify_(notify) {}
    bool await_ready() noexcept {
      uintptr_t word = kPermit;
      if (notify_.word_.load(std::memory_order_relaxed) != kPermit ||
          !notify_.word_.change(word, kNothing, std::memory_order_acquire))
        return false;
      set_ready();
      return task::consume_budget();
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      if (ready()) return internal::give_turn(h);
      return suspend(&kOps, h, [this]() noexcept {
        return notify_.word_.start_fifo(this, kNothing) || notify_.enqueue(this);
      });
    }
    Result<void> await_resume() noexcept {
      if (woken()) return {};
      return fail(Errc::Cancelled, "notify");
    }

   private:
    static void interrupt(task::Wait* base) noexcept {
      auto* self = static_cast<Wait*>(base);
      self->notify_.word_.cancel(self, kNothing);
    }
    static constexpr task::WaitOps kOps{&interrupt, "notify"};

    Notify& notify_;
  };

  bool enqueue(internal::Waiter* waiter) noexcept;
  void wake_one() noexcept;

  Word word_{kNothing};
};

}  // namespace zokio::sync
