// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counted permits, handed out in the order in which tasks asked.
// Thread: release and add_permits from any thread.

#include <cstdint>
#include <utility>

#include "zokio/sync/waiter.h"

namespace zokio::sync {

class Semaphore : Pinned {
 public:
  explicit Semaphore(int64_t permits) noexcept : permits_(permits) {}

  // One permit; goes back when dropped.
  class [[nodiscard]] Permit {
   public:
    Permit() = default;
    explicit Permit(Semaphore* from) noexcept : from_(from) {}
    Permit(Permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      if (this != &other) {
        drop();
        from_ = std::exchange(other.from_, nullptr);
      }
      return *this;
    }
    ~Permit() { drop(); }
    void drop() noexcept {
      if (from_ != nullptr) std::exchange(from_, nullptr)->release();
    }

   private:
    Semaphore* from_ = nullptr;
  };

  // Result<Permit>: Cancelled when the task was asked to stop first.
  auto acquire() noexcept { return Acquire(*this); }

  // Gives back one permit, straight to the oldest waiter if there is one.
  void release() noexcept {
    task::Header* task = nullptr;
    {
      std::scoped_lock guard(waiters_);
      if (permits_ >= 0) task = waiters_.take_first();
      if (task == nullptr) ++permits_;
    }
    if (task != nullptr) task::wake(task);
  }

  // Changes the number of permits live. Taking away more than are free leaves a debt, which the
  // next releases pay.
  void add_permits(int64_t count) noexcept {
    for (; count > 0; --count) release();
    if (count < 0) {
      std::scoped_lock guard(waiters_);
      permits_ += count;
    }
  }

 private:
  class [[nodiscard]] Acquire : internal::Waiter {
   public:
    explicit Acquire(Semaphore& s) noexcept : semaphore_(s) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
      return wait_in(semaphore_.waiters_, h, [this]() noexcept {
        if (semaphore_.permits_ <= 0) return false;
        --semaphore_.permits_;
        return true;
      });
    }
    Result<Permit> await_resume() noexcept {
      if (woken()) return Permit(&semaphore_);
      return fail(Errc::Cancelled, "semaphore");
    }

   private:
    Semaphore& semaphore_;
  };

  internal::WaitList waiters_;
  int64_t permits_;  // guarded by waiters_; negative: a debt
};

}  // namespace zokio::sync
