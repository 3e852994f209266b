// SPDX-License-Identifier: Apache-2.0
#pragma once

// Channels from many senders to one receiver, and from one to one. Values arrive in the order in
// which they were sent, each once.
//
//   auto [tx, rx] = sync::mpsc<Job>(1024);         // waits when 1,024 jobs are in it
//   auto [tx, rx] = sync::mpsc_unbounded<Job>();   // never waits; memory is the bound
//   auto [tx, rx] = sync::spsc<Job>(64);           // mpsc whose sender is not copied
//
// Senders are copied, one for each task (arguments of a coroutine live as long as its JoinHandle: a
// task whose end is to be noticed moves its sender into a local variable); a copy is used by one
// thread at a time. When the last one has gone, the receiver takes what is left and then gets
// Aborted/Closed. When the receiver has gone or was closed, sends fail with Aborted/Closed. Memory:
// 500 bytes per 62 words that are in it. Source: mpsc_queue.h. Thread: senders any, also outside
// the runtime; the receiver one at a time.

#include <utility>

#include "zokio/base/assert.h"
#include "zokio/sync/mpsc_queue.h"

namespace zokio::sync {

template <class T>
class MpscSender : public internal::SenderHandle<internal::MpscQueue<T, true>> {
  using Queue = internal::MpscQueue<T, true>;

 public:
  using internal::SenderHandle<Queue>::SenderHandle;

  // Result<void>: waits while the channel is full, in the order of arrival. `value` is moved from
  // only when the result is good; otherwise (Cancelled, Aborted/Closed) it is as it was.
  // Thread: a task's.
  auto send(T&& value) noexcept { return internal::Send<T, Queue>(this->queue_, &value); }
  // Sends a copy.
  auto send(const T& value) { return internal::SendCopy<T, Queue>(this->queue_, value); }
  // The same for any thread, without waiting: ResourceExhausted/Limit when it is full.
  Result<void> try_send(T&& value) noexcept {
    return internal::pushed_result(this->queue_->push(value));
  }
};

template <class T>
class UnboundedSender : public internal::SenderHandle<internal::MpscQueue<T, false>> {
 public:
  using internal::SenderHandle<internal::MpscQueue<T, false>>::SenderHandle;

  // Aborted/Closed when the receiver has gone: `value` is as it was then. Thread: any.
  Result<void> send(T&& value) noexcept {
    return internal::pushed_result(this->queue_->push(value));
  }
};

template <class T>
class SpscSender : public MpscSender<T> {
 public:
  using MpscSender<T>::MpscSender;
  SpscSender(SpscSender&&) noexcept = default;
  SpscSender& operator=(SpscSender&&) noexcept = default;
};

// Its own awaiter, so that a task that waits in it has nothing else in its frame.
template <class T, bool kBounded>
class MpscReceiver : task::Wait {
  using Queue = internal::MpscQueue<T, kBounded>;

 public:
  MpscReceiver() noexcept : Wait(&kOps) {}
  explicit MpscReceiver(Queue* queue) noexcept : Wait(&kOps), queue_(queue) {}
  // Requires: nobody waits in it.
  MpscReceiver(MpscReceiver&& other) noexcept
      : Wait(&kOps), queue_(std::exchange(other.queue_, nullptr)) {}
  MpscReceiver& operator=(MpscReceiver&& other) noexcept {
    if (this != &other) {
      drop();
      queue_ = std::exchange(other.queue_, nullptr);
    }
    return *this;
  }
  ~MpscReceiver() { drop(); }
  explicit operator bool() const noexcept { return queue_ != nullptr; }

  // Result<T>: Aborted/Closed when it is empty and will stay so; Cancelled when the task was asked
  // to stop first, and nothing is lost. `co_await receiver` is the same. One wait at a time.
  MpscReceiver& recv() noexcept { return *this; }

  // Result<T> without waiting: Unavailable when it is empty. Thread: any, one at a time.
  Result<T> try_recv() noexcept {
    if (queue_->ready()) return queue_->template take<Result<T>>();
    if (queue_->finished()) return fail(Errc::Aborted, "recv", Detail::Closed);
    return fail(Errc::Unavailable, "recv");
  }

  // Sends fail from here on, also those that wait; what is in it can be received.
  void close() noexcept { queue_->close(); }

  bool await_ready() noexcept { return queue_->ready() && task::consume_budget(); }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
    if (queue_->ready()) return internal::give_turn(h);
    task::Header* self = task::suspend_current(h);
    return task::after_suspend(
        task::begin_wait(self, this, [this, self]() noexcept { return queue_->park(self); }), h);
  }
  Result<T> await_resume() noexcept {
    task::end_wait(task::current_task());
    if (queue_->ready()) [[likely]]
      return queue_->template take<Result<T>>();
    if (queue_->finished()) return fail(Errc::Aborted, "recv", Detail::Closed);
    return fail(Errc::Cancelled, "recv");
  }

 private:
  static void interrupt(task::Wait* base) noexcept {
    static_cast<MpscReceiver*>(base)->queue_->cancel_recv();
  }
  static constexpr task::WaitOps kOps{&interrupt, "recv"};

  void drop() noexcept {
    if (queue_ != nullptr) std::exchange(queue_, nullptr)->drop_receiver();
  }

  Queue* queue_ = nullptr;
};

template <class T>
using UnboundedReceiver = MpscReceiver<T, false>;
template <class T>
using BoundedReceiver = MpscReceiver<T, true>;

// Requires: capacity > 0, in values.
template <class T>
std::pair<MpscSender<T>, BoundedReceiver<T>> mpsc(std::size_t capacity) noexcept {
  ZOKIO_CHECK(capacity > 0, "a channel holds one value or more");
  auto* queue = internal::MpscQueue<T, true>::create(capacity);
  return {MpscSender<T>(queue), BoundedReceiver<T>(queue)};
}

template <class T>
std::pair<UnboundedSender<T>, UnboundedReceiver<T>> mpsc_unbounded() noexcept {
  auto* queue = internal::MpscQueue<T, false>::create(UINT64_MAX);
  return {UnboundedSender<T>(queue), UnboundedReceiver<T>(queue)};
}

template <class T>
std::pair<SpscSender<T>, BoundedReceiver<T>> spsc(std::size_t capacity) noexcept {
  ZOKIO_CHECK(capacity > 0, "a channel holds one value or more");
  auto* queue = internal::MpscQueue<T, true>::create(capacity);
  return {SpscSender<T>(queue), BoundedReceiver<T>(queue)};
}

}  // namespace zokio::sync
