// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the channels share: counted handles of both sides, and the awaiter of a send.

#include <memory>
#include <utility>

#include "zokio/mem/frame.h"
#include "zokio/sync/waiter.h"

namespace zokio::sync::internal {

// The handles of a channel's state `S`, which derives from this and comes from the frame pools; it
// goes with the last of them. S::senders_gone() and S::receivers_gone() are called when the last of
// a side has gone. Thread: any.
template <class S>
class Sides : Pinned {
 public:
  template <class... A>
  static S* create(A&&... args) noexcept {
    return std::construct_at(static_cast<S*>(mem::allocate_frame(sizeof(S))),
                             std::forward<A>(args)...);
  }
  void add_sender() noexcept { add(senders_); }
  void add_receiver() noexcept { add(receivers_); }
  void drop_sender() noexcept {
    if (senders_.fetch_sub(1, std::memory_order_acq_rel) == 1) self()->senders_gone();
    release();
  }
  void drop_receiver() noexcept {
    if (receivers_.fetch_sub(1, std::memory_order_acq_rel) == 1) self()->receivers_gone();
    release();
  }
  uint32_t receivers() const noexcept { return receivers_.load(std::memory_order_relaxed); }

 private:
  S* self() noexcept { return static_cast<S*>(this); }
  void add(Atomic<uint32_t>& side) noexcept {
    handles_.fetch_add(1, std::memory_order_relaxed);
    side.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept {
    if (handles_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    S* const state = self();
    std::destroy_at(state);
    mem::free_frame(state, sizeof(S));
  }

  Atomic<uint32_t> handles_{2};
  Atomic<uint32_t> senders_{1};
  Atomic<uint32_t> receivers_{1};
};

template <class Queue>
class SenderHandle {
 public:
  SenderHandle() = default;
  explicit SenderHandle(Queue* queue) noexcept : queue_(queue) {}
  SenderHandle(const SenderHandle& other) noexcept : queue_(other.queue_) {
    if (queue_ != nullptr) queue_->add_sender();
  }
  SenderHandle(SenderHandle&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
  SenderHandle& operator=(SenderHandle other) noexcept {
    std::swap(queue_, other.queue_);
    return *this;
  }
  ~SenderHandle() {
    if (queue_ != nullptr) queue_->drop_sender();
  }
  explicit operator bool() const noexcept { return queue_ != nullptr; }

 protected:
  Queue* queue_ = nullptr;
};

template <class Queue>
class ReceiverHandle {
 public:
  ReceiverHandle() = default;
  explicit ReceiverHandle(Queue* queue) noexcept : queue_(queue) {}
  ReceiverHandle(const ReceiverHandle& other) noexcept : queue_(other.queue_) {
    if (queue_ != nullptr) queue_->add_receiver();
  }
  ReceiverHandle(ReceiverHandle&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
  ReceiverHandle& operator=(ReceiverHandle other) noexcept {
    std::swap(queue_, other.queue_);
    return *this;
  }
  ~ReceiverHandle() {
    if (queue_ != nullptr) queue_->drop_receiver();
  }
  explicit operator bool() const noexcept { return queue_ != nullptr; }

 protected:
  Queue* queue_ = nullptr;
};

enum class Pushed : uint8_t { Yes, Full, Closed };

inline Result<void> pushed_result(Pushed pushed) noexcept {
  if (pushed == Pushed::Yes) [[likely]]
    return {};
  if (pushed == Pushed::Full) return fail(Errc::ResourceExhausted, "send", Detail::Limit);
  return fail(Errc::Aborted, "send", Detail::Closed);
}

// A task that waits for room.
template <class T>
struct SendWaiter : Waiter {
  explicit SendWaiter(T* v) noexcept : value(v) {}
  T* value;  // null once it was moved into the queue
};

// co_await of a send. `Queue`: push(T&), push_or_wait(SendWaiter<T>*), cancel_send(SendWaiter<T>*).
// The value is moved from once it is in the queue, and not before.
template <class T, class Queue>
class [[nodiscard]] Send : SendWaiter<T> {
 public:
  Send(Queue* queue, T* value) noexcept : SendWaiter<T>(value), queue_(queue) {}

  bool await_ready() noexcept {
    const Pushed pushed = queue_->push(*this->value);
    if (pushed == Pushed::Full) return false;
    if (pushed == Pushed::Yes) this->value = nullptr;
    this->set_ready();
    return task::consume_budget();
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
    if (this->ready()) return give_turn(h);
    return this->suspend(&kOps, h, [this]() noexcept { return queue_->push_or_wait(this); });
  }
  Result<void> await_resume() noexcept {
    if (!this->woken()) return fail(Errc::Cancelled, "send");
    return pushed_result(this->value == nullptr ? Pushed::Yes : Pushed::Closed);
  }

 private:
  static void interrupt(task::Wait* base) noexcept {
    auto* self = static_cast<Send*>(base);
    self->queue_->cancel_send(self);
  }
  static constexpr task::WaitOps kOps{&interrupt, "send"};

  Queue* const queue_;
};

template <class T, class Queue>
class [[nodiscard]] SendCopy : public Send<T, Queue> {
 public:
  SendCopy(Queue* queue, const T& value) : Send<T, Queue>(queue, &copy_), copy_(value) {}

 private:
  T copy_;
};

}  // namespace zokio::sync::internal
