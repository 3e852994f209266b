// SPDX-License-Identifier: Apache-2.0
#pragma once

// A value that one side sets and many follow; a follower sees the latest, not each one.
//
//   auto [tx, rx] = sync::watch<Limits>({});
//   while ((co_await rx.changed()).has_value()) apply(rx.borrow());
//
// Values are copied under a lock: give large ones as shared_ptr.
// Thread: send from any thread, also outside the runtime; each receiver one at a time.

#include <mutex>
#include <utility>

#include "zokio/sync/channel.h"

namespace zokio::sync {

namespace internal {

template <class T>
class WatchState : public Sides<WatchState<T>> {
  static_assert(alignof(T) <= 16, "channels align to 16: send a pointer instead");

 public:
  explicit WatchState(T initial) noexcept : value_(std::move(initial)) {}

  uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  void send(T& value) noexcept {
    task::Header* receivers;
    {
      std::scoped_lock guard(waiters_);
      std::swap(value_, value);  // the old one goes when the lock is released
      version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
      receivers = take_all(waiters_.first);
    }
    wake_all(receivers);
  }
  T read(uint64_t& version) {
    std::scoped_lock guard(waiters_);
    version = version_.load(std::memory_order_relaxed);
    return value_;
  }
  bool wait(Waiter* waiter, uint64_t seen) noexcept {
    std::scoped_lock guard(waiters_);
    if (closed() || version() != seen) return false;
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

 private:
  WaitList waiters_;  // receivers
  T value_;           // guarded by its lock
  // Written under its lock.
  Atomic<uint64_t> version_{0};
  Atomic<bool> closed_{false};
};

}  // namespace internal

// Copying one makes another follower that has seen the same.
template <class T>
class WatchReceiver : public internal::ReceiverHandle<internal::WatchState<T>> {
  using State = internal::WatchState<T>;

 public:
  WatchReceiver() = default;
  // Has seen the value of that version.
  WatchReceiver(State* state, uint64_t seen) noexcept
      : internal::ReceiverHandle<State>(state), seen_(seen) {}

  // Result<void>: waits for a value that this receiver has not seen, and counts it as seen.
  // Aborted/Closed when the senders have gone and there is none; Cancelled when the task was asked
  // to stop first.
  auto changed() noexcept { return Changed(*this); }
  // Whether changed() would return at once. Thread: any.
  bool has_changed() const noexcept { return this->queue_->version() != seen_; }

  // The latest value; does not count as seen, so that changed() tells of it. Thread: any.
  T borrow() const {
    uint64_t version;
    return this->queue_->read(version);
  }
  // The latest value, which counts as seen.
  T borrow_and_update() { return this->queue_->read(seen_); }

 private:
  class [[nodiscard]] Changed : internal::Waiter {
   public:
    explicit Changed(WatchReceiver& receiver) noexcept : receiver_(receiver) {}
    bool await_ready() noexcept { return receiver_.has_changed() && task::consume_budget(); }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      if (receiver_.has_changed()) return internal::give_turn(h);
      return suspend(&kOps, h,
                     [this]() noexcept { return receiver_.queue_->wait(this, receiver_.seen_); });
    }
    Result<void> await_resume() noexcept {
      static_cast<void>(woken());
      const bool closed = receiver_.queue_->closed();  // first: what came before it counts
      const uint64_t version = receiver_.queue_->version();
      if (std::exchange(receiver_.seen_, version) != version) return {};
      if (closed) return fail(Errc::Aborted, "watch", Detail::Closed);
      return fail(Errc::Cancelled, "watch");
    }

   private:
    static void interrupt(task::Wait* base) noexcept {
      auto* self = static_cast<Changed*>(base);
      self->receiver_.queue_->cancel(self);
    }
    static constexpr task::WaitOps kOps{&interrupt, "watch"};

    WatchReceiver& receiver_;
  };

  uint64_t seen_ = 0;
};

template <class T>
class WatchSender : public internal::SenderHandle<internal::WatchState<T>> {
  using State = internal::WatchState<T>;

 public:
  using internal::SenderHandle<State>::SenderHandle;

  // Replaces the value and wakes those who follow it. Thread: any.
  void send(T value) noexcept { this->queue_->send(value); }
  T borrow() const {
    uint64_t version;
    return this->queue_->read(version);
  }
  // A receiver that has seen the value of now.
  WatchReceiver<T> subscribe() noexcept {
    this->queue_->add_receiver();
    return WatchReceiver<T>(this->queue_, this->queue_->version());
  }
  uint32_t receivers() const noexcept { return this->queue_->receivers(); }
};

// The receiver has seen `initial`.
template <class T>
std::pair<WatchSender<T>, WatchReceiver<T>> watch(T initial) noexcept {
  auto* state = internal::WatchState<T>::create(std::move(initial));
  return {WatchSender<T>(state), WatchReceiver<T>(state, 0)};
}

}  // namespace zokio::sync
