// SPDX-License-Identifier: Apache-2.0
#pragma once

// A flag that tasks wait for; once set it stays set until reset. Eight bytes.
// Thread: set, reset and is_set from any thread, also from outside the runtime.
//
// The word, a closed list (waiter.h): 0 not set; 1 set; the FIFO of those who wait for it.

#include "zokio/sync/waiter.h"

namespace zokio::sync {

class Event : Pinned {
 public:
  // Wakes everybody who waits. Idempotent. The flag is set once, together with taking the waiters:
  // a waiter that resets it as soon as it runs finds it reset.
  void set() noexcept {
    uintptr_t word = kUnset;
    // Ordering: release, also when it is set already: the next waiter sees what came before.
    while (!word_.change(word, kSet, std::memory_order_release))
      if (word != kUnset && word != kSet) return set_slowly();
  }
  void reset() noexcept {
    uintptr_t word = kSet;
    while (!word_.change(word, kUnset, std::memory_order_relaxed) && word == (kSet | Word::kBusy)) {
      spin_pause(0);
      word = kSet;
    }
  }
  bool is_set() const noexcept {
    return (word_.load(std::memory_order_acquire) & ~Word::kBusy) == kSet;
  }

  // Result<void>: Cancelled when the task was asked to stop first.
  auto wait() noexcept { return Wait(*this); }

 private:
  using Word = internal::WaitWord;
  static constexpr uintptr_t kUnset = Word::of(0);
  static constexpr uintptr_t kSet = Word::of(1);

  class [[nodiscard]] Wait : internal::Waiter {
   public:
    explicit Wait(Event& event) noexcept : event_(event) {}
    bool await_ready() noexcept {
      if (!event_.is_set()) return false;
      set_ready();
      return task::consume_budget();
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      if (ready()) return internal::give_turn(h);
      return suspend(&kOps, h, [this]() noexcept { return event_.enqueue(this); });
    }
    Result<void> await_resume() noexcept {
      if (woken()) return {};
      return fail(Errc::Cancelled, "event");
    }

   private:
    static void interrupt(task::Wait* base) noexcept {
      auto* self = static_cast<Wait*>(base);
      self->event_.word_.cancel(self, kUnset);
    }
    static constexpr task::WaitOps kOps{&interrupt, "event"};

    Event& event_;
  };

  void set_slowly() noexcept;
  // True when it waits.
  bool enqueue(internal::Waiter* waiter) noexcept;

  Word word_{kUnset};
};

}  // namespace zokio::sync
