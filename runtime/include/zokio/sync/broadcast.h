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
#include "zokio/sync/channel.h"

namespace zokio::sync {

// Why a receive from a broadcast gave no value. missed > 0: DataLoss, so many values were
// overwritten before they were received; the next receive goes on behind them.
struct BroadcastError : Error {
  constexpr BroadcastError(Error error, uint64_t n = 0) : Error(error), missed(n) {}
  uint64_t missed;
};

namespace internal {

template <class T>
class BroadcastState : public Sides<BroadcastState<T>> {
  static_assert(alignof(T) <= 16, "channels align to 16: send a pointer instead");

 public:
  explicit BroadcastState(std::size_t capacity) noexcept
      : slots_(static_cast<T*>(mem::allocate_frame(capacity * sizeof(T)))), capacity_(capacity) {}
  ~BroadcastState() {
    std::destroy_n(slots_, std::min<uint64_t>(sent(), capacity_));
    mem::free_frame(slots_, capacity_ * sizeof(T));
  }

  // How many were ever sent.
  uint64_t sent() const noexcept { return sent_.load(std::memory_order_acquire); }

  void send(T& value) noexcept {
    task::Header* receivers;
    {
      std::scoped_lock guard(waiters_);
      const uint64_t sent = sent_.load(std::memory_order_relaxed);
      T* const slot = &slots_[sent % capacity_];
      if (sent < capacity_)
        std::construct_at(slot, std::move(value));
      else
        std::swap(*slot, value);  // the old one goes when the lock is released
      sent_.store(sent + 1, std::memory_order_release);
      receivers = take_all(waiters_.first);
    }
    wake_all(receivers);
  }

  // The value of number `next`, which is advanced.
  std::expected<T, BroadcastError> take(uint64_t& next, Errc otherwise) {
    std::scoped_lock guard(waiters_);
    const uint64_t sent = sent_.load(std::memory_order_relaxed);
    if (next == sent) {
      if (closed_) return std::unexpected(BroadcastError({Errc::Aborted, "recv", Detail::Closed}));
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
  bool wait(Waiter* waiter, uint64_t next) noexcept {
    std::scoped_lock guard(waiters_);
    if (closed_ || next != sent_.load(std::memory_order_relaxed)) return false;
    push_back(waiters_.first, waiter);
    return true;
  }
  void cancel(Waiter* waiter) noexcept { waiters_.cancel(waiter); }

  void senders_gone() noexcept {
    task::Header* receivers;
    {
      std::scoped_lock guard(waiters_);
      closed_ = true;
      receivers = take_all(waiters_.first);
    }
    wake_all(receivers);
  }
  void receivers_gone() noexcept {}

 private:
  T* const slots_;
  const uint64_t capacity_;
  WaitList waiters_;  // receivers
  // Written under its lock.
  Atomic<uint64_t> sent_{0};
  bool closed_ = false;
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
  class [[nodiscard]] Recv : internal::Waiter {
   public:
    explicit Recv(BroadcastReceiver& receiver) noexcept : receiver_(receiver) {}
    bool await_ready() noexcept { return ready() && task::consume_budget(); }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      if (ready()) return internal::give_turn(h);
      return suspend(&kOps, h,
                     [this]() noexcept { return receiver_.queue_->wait(this, receiver_.next_); });
    }
    Received await_resume() {
      static_cast<void>(woken());
      return receiver_.queue_->take(receiver_.next_, Errc::Cancelled);
    }

   private:
    bool ready() const noexcept { return receiver_.queue_->sent() != receiver_.next_; }
    static void interrupt(task::Wait* base) noexcept {
      auto* self = static_cast<Recv*>(base);
      self->receiver_.queue_->cancel(self);
    }
    static constexpr task::WaitOps kOps{&interrupt, "broadcast"};

    BroadcastReceiver& receiver_;
  };

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
    return BroadcastReceiver<T>(this->queue_, this->queue_->sent());
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
