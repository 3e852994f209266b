// SPDX-License-Identifier: Apache-2.0
#pragma once

// A channel from many senders to many receivers; each value goes to one of them. Senders and
// receivers are served in the order in which they came.
//
//   auto [tx, rx] = sync::mpmc<Job>(64);
//
// Both handles are copied. When the last sender has gone, what is left can be received, then there
// is Aborted/Closed; when the last receiver has gone, sends fail with Aborted/Closed.
// A ring under a lock; a value goes straight to a receiver that waits, and a place that becomes
// free straight to a sender that waits, so nobody is woken in vain. Thread: senders and receivers
// any, one operation at a time for each handle.

#include <mutex>
#include <optional>

#include "zokio/base/assert.h"
#include "zokio/sync/channel.h"

namespace zokio::sync {

namespace internal {

template <class T>
struct RecvWaiter : Waiter {
  std::optional<T> value;
};

template <class T>
class MpmcQueue : public Sides<MpmcQueue<T>> {
  static_assert(alignof(T) <= 16, "channels align to 16: send a pointer instead");
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "values move under a lock: give one whose move throws a unique_ptr");

 public:
  explicit MpmcQueue(std::size_t capacity) noexcept
      : items_(static_cast<T*>(mem::allocate_frame(capacity * sizeof(T)))), capacity_(capacity) {}
  ~MpmcQueue() {
    while (count_ > 0) static_cast<void>(pop_item());
    mem::free_frame(items_, capacity_ * sizeof(T));
  }

  Pushed push(T& value) noexcept {
    task::Header* receiver = nullptr;
    {
      std::scoped_lock guard(lock_);
      const Pushed pushed = push_locked(value, receiver);
      if (pushed != Pushed::Yes) return pushed;
    }
    if (receiver != nullptr) task::wake(receiver);
    return Pushed::Yes;
  }
  bool push_or_wait(SendWaiter<T>* waiter) noexcept {
    task::Header* receiver = nullptr;
    {
      std::scoped_lock guard(lock_);
      const Pushed pushed = push_locked(*waiter->value, receiver);
      if (pushed == Pushed::Full) {
        push_back(first_sender_, waiter);
        return true;
      }
      if (pushed == Pushed::Yes) waiter->value = nullptr;
      waiter->set_taken();
    }
    if (receiver != nullptr) task::wake(receiver);
    return false;
  }
  void cancel_send(SendWaiter<T>* waiter) noexcept { cancel(first_sender_, waiter); }

  // Whether a value was there; closed(): none will come.
  bool pop(std::optional<T>& into, bool& closed) noexcept {
    task::Header* sender = nullptr;
    {
      std::scoped_lock guard(lock_);
      if (!pop_locked(into, sender)) {
        closed = closed_;
        return false;
      }
    }
    if (sender != nullptr) task::wake(sender);
    return true;
  }
  // False: no need to wait, and `waiter` is marked as taken.
  bool pop_or_wait(RecvWaiter<T>* waiter) noexcept {
    task::Header* sender = nullptr;
    {
      std::scoped_lock guard(lock_);
      if (!pop_locked(waiter->value, sender) && !closed_) {
        push_back(first_receiver_, waiter);
        return true;
      }
      waiter->set_taken();
    }
    if (sender != nullptr) task::wake(sender);
    return false;
  }
  void cancel_recv(RecvWaiter<T>* waiter) noexcept { cancel(first_receiver_, waiter); }

  // Sends fail from here on, also those that wait; what is in it can be received.
  void close() noexcept {
    task::Header* senders;
    task::Header* receivers;
    {
      std::scoped_lock guard(lock_);
      closed_ = true;
      senders = take_all(first_sender_);
      receivers = take_all(first_receiver_);  // there is none while there are values
    }
    wake_all(senders);
    wake_all(receivers);
  }
  void senders_gone() noexcept { close(); }
  void receivers_gone() noexcept { close(); }

 private:
  // With the lock.
  Pushed push_locked(T& value, task::Header*& receiver) noexcept {
    if (closed_) return Pushed::Closed;
    if (first_receiver_ != nullptr) {
      auto* oldest = static_cast<RecvWaiter<T>*>(take_first(first_receiver_));
      oldest->value.emplace(std::move(value));
      receiver = oldest->self;
      return Pushed::Yes;
    }
    if (count_ == capacity_) return Pushed::Full;
    push_item(value);
    return Pushed::Yes;
  }
  bool pop_locked(std::optional<T>& into, task::Header*& sender) noexcept {
    if (count_ == 0) return false;
    into.emplace(pop_item());
    if (first_sender_ != nullptr) {
      auto* oldest = static_cast<SendWaiter<T>*>(take_first(first_sender_));
      push_item(*std::exchange(oldest->value, nullptr));
      sender = oldest->self;
    }
    return true;
  }
  void push_item(T& value) noexcept {
    std::size_t at = head_ + count_;
    if (at >= capacity_) at -= capacity_;
    std::construct_at(&items_[at], std::move(value));
    ++count_;
  }
  T pop_item() noexcept {
    T* const item = &items_[head_];
    T value(std::move(*item));
    std::destroy_at(item);
    if (++head_ == capacity_) head_ = 0;
    --count_;
    return value;
  }
  void cancel(Waiter*& first, Waiter* waiter) noexcept {
    {
      std::scoped_lock guard(lock_);
      if (!waiter->linked()) return;
      remove(first, waiter);
    }
    task::wake(waiter->self);
  }

  T* const items_;
  const std::size_t capacity_;
  SpinLock lock_;
  // Guarded by lock_.
  bool closed_ = false;
  std::size_t head_ = 0;   // the oldest
  std::size_t count_ = 0;  // values in the ring
  Waiter* first_sender_ = nullptr;
  Waiter* first_receiver_ = nullptr;
};

}  // namespace internal

template <class T>
class MpmcSender : public internal::SenderHandle<internal::MpmcQueue<T>> {
  using Queue = internal::MpmcQueue<T>;

 public:
  using internal::SenderHandle<Queue>::SenderHandle;

  // Result<void>: waits while the channel is full. `value` is moved from only when the result is
  // good; otherwise (Cancelled, Aborted/Closed) it is as it was. Thread: a task's.
  auto send(T&& value) noexcept { return internal::Send<T, Queue>(this->queue_, &value); }
  // Sends a copy.
  auto send(const T& value) { return internal::SendCopy<T, Queue>(this->queue_, value); }
  // The same for any thread, without waiting: ResourceExhausted/Limit when it is full.
  Result<void> try_send(T&& value) noexcept {
    return internal::pushed_result(this->queue_->push(value));
  }
};

template <class T>
class MpmcReceiver : public internal::ReceiverHandle<internal::MpmcQueue<T>> {
  using Queue = internal::MpmcQueue<T>;

 public:
  using internal::ReceiverHandle<Queue>::ReceiverHandle;

  // Result<T>: Aborted/Closed when it is empty and will stay so; Cancelled when the task was asked
  // to stop first, and nothing is lost. Thread: a task's.
  auto recv() noexcept { return Recv(this->queue_); }

  // Result<T> without waiting: Unavailable when it is empty. Thread: any.
  Result<T> try_recv() noexcept {
    std::optional<T> value;
    bool closed = false;
    if (this->queue_->pop(value, closed)) return *std::move(value);
    if (closed) return fail(Errc::Aborted, "recv", Detail::Closed);
    return fail(Errc::Unavailable, "recv");
  }
  void close() noexcept { this->queue_->close(); }

 private:
  class [[nodiscard]] Recv : internal::RecvWaiter<T> {
   public:
    explicit Recv(Queue* queue) noexcept : queue_(queue) {}
    bool await_ready() noexcept {
      bool closed = false;
      if (!queue_->pop(this->value, closed) && !closed) return false;
      this->set_ready();
      return task::consume_budget();
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      if (this->ready()) return internal::give_turn(h);
      return this->suspend(&kOps, h, [this]() noexcept { return queue_->pop_or_wait(this); });
    }
    Result<T> await_resume() noexcept {
      if (!this->woken()) return fail(Errc::Cancelled, "recv");
      if (this->value.has_value()) return *std::move(this->value);
      return fail(Errc::Aborted, "recv", Detail::Closed);
    }

   private:
    static void interrupt(task::Wait* base) noexcept {
      auto* self = static_cast<Recv*>(base);
      self->queue_->cancel_recv(self);
    }
    static constexpr task::WaitOps kOps{&interrupt, "recv"};

    Queue* const queue_;
  };
};

// Requires: capacity > 0, in values; their memory is taken at once.
template <class T>
std::pair<MpmcSender<T>, MpmcReceiver<T>> mpmc(std::size_t capacity) noexcept {
  ZOKIO_CHECK(capacity > 0, "a channel holds one value or more");
  auto* queue = internal::MpmcQueue<T>::create(capacity);
  return {MpmcSender<T>(queue), MpmcReceiver<T>(queue)};
}

}  // namespace zokio::sync
