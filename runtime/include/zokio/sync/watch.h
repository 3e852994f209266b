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

#include "zokio/sync/follow.h"

namespace zokio::sync {

namespace internal {

template <class T>
class WatchState : public Followed<WatchState<T>> {
  static_assert(alignof(T) <= 16, "channels align to 16: send a pointer instead");

 public:
  explicit WatchState(T initial) noexcept : value_(std::move(initial)) {}

  void send(T& value) noexcept {
    task::Header* receivers;
    {
      std::scoped_lock guard(this->waiters_);
      std::swap(value_, value);  // the old one goes when the lock is released
      receivers = this->count_one();
    }
    wake_all(receivers);
  }
  T read(uint64_t& version) {
    std::scoped_lock guard(this->waiters_);
    version = this->count();
    return value_;
  }

 private:
  T value_;  // guarded by the lock of waiters_
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
  bool has_changed() const noexcept { return this->queue_->count() != seen_; }

  // The latest value; does not count as seen, so that changed() tells of it. Thread: any.
  T borrow() const {
    uint64_t version;
    return this->queue_->read(version);
  }
  // The latest value, which counts as seen.
  T borrow_and_update() { return this->queue_->read(seen_); }

 private:
  friend class internal::Follow<WatchReceiver>;
  static constexpr const char* kName = "watch";

  class [[nodiscard]] Changed : public internal::Follow<WatchReceiver> {
   public:
    using internal::Follow<WatchReceiver>::Follow;
    Result<void> await_resume() noexcept {
      static_cast<void>(this->woken());
      WatchReceiver& receiver = this->receiver_;
      const bool closed = receiver.queue_->closed();  // first: what came before it counts
      const uint64_t version = receiver.queue_->count();
      if (std::exchange(receiver.seen_, version) != version) return {};
      if (closed) return fail(Errc::Aborted, "watch", Detail::Closed);
      return fail(Errc::Cancelled, "watch");
    }
  };

  bool is_behind() const noexcept { return has_changed(); }
  bool wait(internal::Waiter* waiter) noexcept { return this->queue_->wait(waiter, seen_); }
  void cancel(internal::Waiter* waiter) noexcept { this->queue_->cancel(waiter); }

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
    return WatchReceiver<T>(this->queue_, this->queue_->count());
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
