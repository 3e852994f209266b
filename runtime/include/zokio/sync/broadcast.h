// SPDX-License-Identifier: Apache-2.0
#pragma once

// A channel in which every receiver gets every value, as long as it keeps up: the last `capacity`
// values are kept, a sender never waits, and a receiver that is further behind is told how many it
// has missed and goes on with the oldest that is left. Source: the semantics of Tokio's broadcast.
//
//   auto [tx, rx] = sync::broadcast<Change>(256);
//   auto other = tx.subscribe();   // gets what is sent from here on
//
// Values are copied under the channel's lock, once for each receiver: send large ones as
// shared_ptr. Thread: senders any, also outside the runtime; each receiver one at a time.

#include <expected>
#include <mutex>
#include <optional>

#include "zokio/base/assert.h"
#include "zokio/sync/follow.h"

namespace zokio::sync {

// Why a receive from a broadcast gave no value. missed > 0: DataLoss, so many values were
// overwritten before they were received; the next receive goes on behind them.
struct BroadcastError : Error {
  constexpr BroadcastError(Error error, uint64_t n = 0) : Error(error), missed(n) {}
  uint64_t missed;
};

namespace internal {

template <class T>
class BroadcastState : public Followed<BroadcastState<T>> {
  static_assert(alignof(T) <= 16, "channels align to 16: send a pointer instead");

 public:
  explicit BroadcastState(std::size_t capacity) noexcept
      : slots_(static_cast<T*>(mem::allocate_frame(capacity * sizeof(T)))), capacity_(capacity) {}
  ~BroadcastState() {
    std::destroy_n(slots_, std::min<uint64_t>(this->count(), capacity_));
    mem::free_frame(slots_, capacity_ * sizeof(T));
  }

  void send(T& value) noexcept {
    task::Header* receivers;
    {
      std::scoped_lock guard(this->waiters_);
      const uint64_t sent = this->count();
      T* const slot = &slots_[sent % capacity_];
      if (sent < capacity_)
        std::construct_at(slot, std::move(value));
      else
        std::swap(*slot, value);  // the old one goes when the lock is released
      receivers = this->count_one();
    }
    wake_all(receivers);
  }

  // The value of number `next`, which is advanced.
  std::expected<T, BroadcastError> take(uint64_t& next, Errc otherwise) {
    std::scoped_lock guard(this->waiters_);
    const uint64_t sent = this->count();
    if (next == sent) {
      if (this->closed())
        return std::unexpected(BroadcastError({Errc::Aborted, "recv", Detail::Closed}));
      return std::unexpected(BroadcastError({otherwise, "recv"}));
    }
    if (sent - next > capacity_) {
      const uint64_t missed = sent - capacity_ - next;
      next += missed;
      return std::unexpected(BroadcastError({Errc::DataLoss, "recv", Detail::Limit}, missed));
    }
    std::expected<T, BroadcastError> value(slots_[next % capacity_]);
    ++next;
    return value;
  }

 private:
  T* const slots_;
  const uint64_t capacity_;
};

}  // namespace internal

// Copying one makes another receiver that goes on from the same value.
template <class T>
class BroadcastReceiver : public internal::ReceiverHandle<internal::BroadcastState<T>> {
  using State = internal::BroadcastState<T>;
  using Received = std::expected<T, BroadcastError>;

 public:
  BroadcastReceiver() = default;
  // From the value of number `next` on.
  BroadcastReceiver(State* state, uint64_t next) noexcept
      : internal::ReceiverHandle<State>(state), next_(next) {}

  // The next value, or BroadcastError: DataLoss with `missed`; Aborted/Closed when all senders have
  // gone and everything was received; Cancelled when the task was asked to stop first.
  auto recv() noexcept { return Recv(*this); }
  // Without waiting: Unavailable when there is none. Thread: any.
  Received try_recv() { return this->queue_->take(next_, Errc::Unavailable); }

 private:
  friend class internal::Follow<BroadcastReceiver>;
  static constexpr const char* kName = "broadcast";

  class [[nodiscard]] Recv : public internal::Follow<BroadcastReceiver> {
   public:
    using internal::Follow<BroadcastReceiver>::Follow;
    Received await_resume() {
      static_cast<void>(this->woken());
      return this->receiver_.queue_->take(this->receiver_.next_, Errc::Cancelled);
    }
  };

  bool is_behind() const noexcept { return this->queue_->count() != next_; }
  bool wait(internal::Waiter* waiter) noexcept { return this->queue_->wait(waiter, next_); }
  void cancel(internal::Waiter* waiter) noexcept { this->queue_->cancel(waiter); }

  uint64_t next_ = 0;
};

template <class T>
class BroadcastSender : public internal::SenderHandle<internal::BroadcastState<T>> {
  using State = internal::BroadcastState<T>;

 public:
  using internal::SenderHandle<State>::SenderHandle;

  // False when there are no receivers, and the value goes. Thread: any.
  bool send(T value) noexcept {
    if (receivers() == 0) return false;
    this->queue_->send(value);
    return true;
  }
  // A receiver of what is sent from here on.
  BroadcastReceiver<T> subscribe() noexcept {
    this->queue_->add_receiver();
    return BroadcastReceiver<T>(this->queue_, this->queue_->count());
  }
  uint32_t receivers() const noexcept { return this->queue_->receivers(); }
};

// Requires: capacity > 0, in values; their memory is taken at once.
template <class T>
std::pair<BroadcastSender<T>, BroadcastReceiver<T>> broadcast(std::size_t capacity) noexcept {
  ZOKIO_CHECK(capacity > 0, "a channel holds one value or more");
  auto* state = internal::BroadcastState<T>::create(capacity);
  return {BroadcastSender<T>(state), BroadcastReceiver<T>(state, 0)};
}

}  // namespace zokio::sync
