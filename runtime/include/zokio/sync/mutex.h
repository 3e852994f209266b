// SPDX-License-Identifier: Apache-2.0
#pragma once

// Mutual exclusion between tasks; held across co_await. Eight bytes.
//
// Fair: an unlock hands the mutex to the oldest waiter, and nobody overtakes it. For a section of a
// few instructions without co_await a SpinLock is cheaper.
// Thread: lock from tasks; try_lock and unlocking from any thread.
//
// The word, a closed list (waiter.h): 0 free; 1 locked, nobody waits; the FIFO: locked.

#include <optional>
#include <utility>

#include "zokio/sync/waiter.h"

namespace zokio::sync {

class Condition;

class Mutex : Pinned {
 public:
  // Holds the mutex; unlocks when dropped.
  class [[nodiscard]] Guard {
   public:
    Guard() = default;
    explicit Guard(Mutex* locked) noexcept : mutex_(locked) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&& other) noexcept {
      if (this != &other) {
        unlock();
        mutex_ = std::exchange(other.mutex_, nullptr);
      }
      return *this;
    }
    ~Guard() { unlock(); }
    void unlock() noexcept {
      if (mutex_ != nullptr) std::exchange(mutex_, nullptr)->unlock();
    }
    explicit operator bool() const noexcept { return mutex_ != nullptr; }

   private:
    friend class Condition;
    Mutex* mutex_ = nullptr;
  };

  // Result<Guard>: Cancelled when the task was asked to stop first. A free mutex is taken without
  // looking for a cancel.
  auto lock() noexcept { return Lock(*this); }

  // Empty when it is locked.
  Guard try_lock() noexcept { return Guard(take_free() ? this : nullptr); }

  bool is_locked() const noexcept {
    return (word_.load(std::memory_order_relaxed) & ~Word::kBusy) != kFree;
  }

 private:
  friend class Condition;
  using Word = internal::WaitWord;
  static constexpr uintptr_t kFree = Word::of(0);
  static constexpr uintptr_t kLocked = Word::of(1);

  class [[nodiscard]] Lock : internal::Waiter {
   public:
    explicit Lock(Mutex& mutex) noexcept : mutex_(mutex) {}
    bool await_ready() noexcept {
      if (!task::consume_budget()) [[unlikely]] {
        set_late();
        return false;
      }
      if (!mutex_.take_free()) return false;
      set_ready();
      return true;
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      if (late()) return internal::start_later(*this, mutex_.lock_later(), h);
      return suspend(&kOps, h, [this]() noexcept { return mutex_.enqueue(this); });
    }
    [[gnu::always_inline]] Result<Guard> await_resume() noexcept {
      if (ready()) [[likely]]
        return Guard(&mutex_);
      return after_wait();
    }

   private:
    [[gnu::noinline]] Result<Guard> after_wait() noexcept {
      if (late()) return internal::finish_later<Result<Guard>>(*this);
      if (woken()) return Guard(&mutex_);
      return fail(Errc::Cancelled, "mutex");
    }
    static void interrupt(task::Wait* base) noexcept {
      auto* self = static_cast<Lock*>(base);
      self->mutex_.word_.cancel(self, kLocked);
    }
    static constexpr task::WaitOps kOps{&interrupt, "mutex"};

    Mutex& mutex_;
  };

  bool take_free() noexcept {
    uintptr_t word = kFree;
    // Ordering: acquire pairs with the release of who unlocked.
    return word_.change(word, kLocked, std::memory_order_acquire);
  }
  void unlock() noexcept {
    uintptr_t word = kLocked;
    if (!word_.change(word, kFree, std::memory_order_release)) [[unlikely]]
      hand_over();
  }
  Task<Result<Guard>> lock_later();
  // True when `waiter` waits; false: it has got the mutex and is marked as taken.
  bool enqueue(internal::Waiter* waiter) noexcept;
  void hand_over() noexcept;

  Word word_{kFree};
};

}  // namespace zokio::sync
