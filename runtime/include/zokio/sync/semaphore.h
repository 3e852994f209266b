// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counted permits, handed out in the order in which tasks asked: one that wants many is not
// overtaken by those that want few. Eight bytes.
// Thread: acquire from tasks; try_acquire, release and add_permits from any thread.
//
// The word, a closed list (waiter.h): the free permits, negative for a debt; or the FIFO. While
// tasks wait there are no free permits: what is released counts for the first of them, and a debt
// is what the first lacks besides its own.

#include <cstdint>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/sync/waiter.h"

namespace zokio::sync {

class Semaphore : Pinned {
 public:
  // More than anybody needs, and far from an overflow of the word.
  static constexpr int64_t kMaxPermits = int64_t{1} << 48;

  // Requires: |permits| <= kMaxPermits, also of all that is added later.
  explicit Semaphore(int64_t permits) noexcept : word_(Word::of(permits)) {}

  // Permits held; they go back when dropped.
  class [[nodiscard]] Permit {
   public:
    Permit() = default;
    Permit(Semaphore* from, int64_t count) noexcept : from_(from), count_(count) {}
    Permit(Permit&& other) noexcept
        : from_(std::exchange(other.from_, nullptr)), count_(other.count_) {}
    Permit& operator=(Permit&& other) noexcept {
      if (this != &other) {
        drop();
        from_ = std::exchange(other.from_, nullptr);
        count_ = other.count_;
      }
      return *this;
    }
    ~Permit() { drop(); }
    void drop() noexcept {
      if (from_ != nullptr) std::exchange(from_, nullptr)->release(count_);
    }
    // Keeps them for good: the semaphore has that many fewer.
    void forget() noexcept { from_ = nullptr; }
    explicit operator bool() const noexcept { return from_ != nullptr; }

   private:
    Semaphore* from_ = nullptr;
    int64_t count_ = 0;
  };

  // Result<Permit> for `count` permits at once: Cancelled when the task was asked to stop first.
  // Requires: count > 0. Cancel: what had been put aside for it goes to the next.
  auto acquire(int64_t count = 1) noexcept { return Acquire(*this, count); }

  // Empty when there are not as many, or others wait.
  Permit try_acquire(int64_t count = 1) noexcept {
    return take_free(count) ? Permit(this, count) : Permit();
  }

  // Gives back permits, straight to the oldest waiters if there are any.
  void release(int64_t count = 1) noexcept { add_permits(count); }

  // Changes the number of permits live. Taking away more than are free leaves a debt, which the
  // next releases pay.
  void add_permits(int64_t count) noexcept {
    uintptr_t word = word_.load(std::memory_order_relaxed);
    while ((word & (Word::kHasWaiters | Word::kBusy)) == 0) {
      // Ordering: release pairs with the acquire of who takes them.
      if (word_.change(word, word + Word::of(count), std::memory_order_release)) [[likely]]
        return;
    }
    give_slowly(count);
  }

  // Free permits; negative: a debt; 0 while tasks wait.
  int64_t available() const noexcept {
    const uintptr_t word = word_.load(std::memory_order_relaxed) & ~Word::kBusy;
    return (word & Word::kHasWaiters) != 0 ? 0 : Word::value(word);
  }

 private:
  using Word = internal::WaitWord;

  class [[nodiscard]] Acquire : internal::Waiter {
   public:
    Acquire(Semaphore& semaphore, int64_t count) noexcept : semaphore_(semaphore), count_(count) {
      ZOKIO_DCHECK(count > 0, "a semaphore gives one permit or more");
    }
    bool await_ready() noexcept {
      if (!task::consume_budget()) [[unlikely]] {
        set_late();
        return false;
      }
      if (!semaphore_.take_free(count_)) return false;
      set_ready();
      return true;
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      if (late()) return internal::start_later(*this, semaphore_.acquire_later(count_), h);
      return suspend(&kOps, h, [this]() noexcept { return semaphore_.enqueue(this); });
    }
    [[gnu::always_inline]] Result<Permit> await_resume() noexcept {
      if (ready()) [[likely]]
        return Permit(&semaphore_, count_);
      return after_wait();
    }

   private:
    friend class Semaphore;
    [[gnu::noinline]] Result<Permit> after_wait() noexcept {
      if (late()) return internal::finish_later<Result<Permit>>(*this);
      if (woken()) return Permit(&semaphore_, count_);
      return fail(Errc::Cancelled, "semaphore");
    }
    static void interrupt(task::Wait* base) noexcept {
      auto* self = static_cast<Acquire*>(base);
      self->semaphore_.cancel(self);
    }
    static constexpr task::WaitOps kOps{&interrupt, "semaphore"};

    Semaphore& semaphore_;
    const int64_t count_;
    int64_t missing_;  // until it has got count_; guarded by the word's lock
  };

  bool take_free(int64_t count) noexcept {
    uintptr_t word = word_.load(std::memory_order_relaxed);
    while ((word & (Word::kHasWaiters | Word::kBusy)) == 0 && Word::value(word) >= count) {
      if (word_.change(word, word - Word::of(count), std::memory_order_acquire)) [[likely]]
        return true;
    }
    return false;
  }
  Task<Result<Permit>> acquire_later(int64_t count);
  bool enqueue(Acquire* waiter) noexcept;
  void cancel(Acquire* waiter) noexcept;
  void give_slowly(int64_t count) noexcept;
  // With the lock: hands `count` permits (negative: a debt) to the FIFO `first`, and unlocks.
  void give_locked(internal::Waiter* first, int64_t count, task::Header* also) noexcept;

  Word word_;
};

}  // namespace zokio::sync
