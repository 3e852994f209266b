// SPDX-License-Identifier: Apache-2.0
#pragma once

// What watch and broadcast share: a channel that counts what is sent, and receivers that wait until
// the count is another than the one they have seen.
// Thread: the channel any; a receiver one at a time.

#include <mutex>

#include "zokio/sync/channel.h"

namespace zokio::sync::internal {

// Base of the state `S`.
template <class S>
class Followed : public Sides<S> {
 public:
  // How many were ever sent.
  uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }
  // The senders have gone.
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // False: no need to wait.
  bool wait(Waiter* waiter, uint64_t seen) noexcept {
    std::scoped_lock guard(waiters_);
    if (closed() || count() != seen) return false;
    push_back(waiters_.first, waiter);
    return true;
  }
  void cancel(Waiter* waiter) noexcept { waiters_.cancel(waiter); }

  void senders_gone() noexcept {
    task::Header* receivers;
    {
      std::scoped_lock guard(waiters_);
      closed_.store(true, std::memory_order_release);
      receivers = take_all(waiters_.first);
    }
    wake_all(receivers);
  }
  void receivers_gone() noexcept {}

 protected:
  // One more is there. Yields who waits for it, to be woken when the lock is released.
  // Requires: the lock of waiters_.
  task::Header* count_one() noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    return take_all(waiters_.first);
  }

  WaitList waiters_;  // receivers; its lock guards the values

 private:
  // Written under that lock.
  Atomic<uint64_t> count_{0};
  Atomic<bool> closed_{false};
};

// Waits for more than `Receiver` has seen: it has is_behind(), wait(Waiter*), cancel(Waiter*), and
// kName for dumps. Base of the awaiters.
template <class Receiver>
class Follow : protected Waiter {
 public:
  explicit Follow(Receiver& receiver) noexcept : receiver_(receiver) {}
  bool await_ready() const noexcept { return receiver_.is_behind() && task::consume_budget(); }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
    if (receiver_.is_behind()) return give_turn(h);
    return suspend(&kOps, h, [this]() noexcept { return receiver_.wait(this); });
  }

 protected:
  Receiver& receiver_;

 private:
  static void interrupt(task::Wait* base) noexcept {
    auto* self = static_cast<Follow*>(base);
    self->receiver_.cancel(self);
  }
  static constexpr task::WaitOps kOps{&interrupt, Receiver::kName};
};

}  // namespace zokio::sync::internal
