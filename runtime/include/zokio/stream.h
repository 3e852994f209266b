// SPDX-License-Identifier: Apache-2.0
#pragma once

// Stream: a coroutine that makes a sequence and may await between its elements.
//
//   Stream<Line> lines(net::TcpStream& socket) {
//     while (true) {
//       Result<Line> line = co_await read_line(socket);
//       if (!line.has_value()) co_return;
//       co_yield *std::move(line);
//     }
//   }
//   auto all = lines(socket);
//   while (auto line = co_await all.next()) use(*line);
//
// The body runs as a part of whoever awaits next(): it is not a task, it does nothing ahead of
// time, and a cancel of the consumer reaches what the body awaits. It may stop at any element: a
// stream that is dropped there destroys its body as a block is left. What cannot be is to drop one
// while its body waits for something; as next() is awaited meanwhile, that takes a second party,
// and the process stops with a message.
//
// Two rules for bodies: nothing that is in force for the task, a Shield or a deadline, may be held
// across a co_yield (the consumer would run inside it; checked), and what is yielded is moved out.
// An exception that leaves the body is rethrown by next(); the stream has ended then.
// Thread: one consumer at a time, on any worker.

#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/task/promise.h"

namespace zokio {

template <class T>
class Stream;

namespace task::internal {

// Promise::link is the coroutine that awaits next(), so that a chain of awaits can be followed
// through a stream, and null while nobody does.
template <class T>
class StreamPromise : public Promise {
 public:
  StreamPromise() noexcept { link.store(0, std::memory_order_relaxed); }
  ~StreamPromise() {
    ZOKIO_CHECK(link.load(std::memory_order_relaxed) == 0,
                "a Stream is destroyed while its next() is awaited");
    if ((status & kException) != 0) std::destroy_at(exception());
  }

  Stream<T> get_return_object() noexcept;

  // Back to the consumer.
  struct Handover {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(
        std::coroutine_handle<StreamPromise> self) const noexcept {
      StreamPromise& promise = self.promise();
      ZOKIO_CHECK(current_scope() == promise.scope_,
                  "a Stream holds a cancel scope, a Shield or a deadline across its co_yield");
      const uintptr_t consumer = promise.link.load(std::memory_order_relaxed);
      promise.link.store(0, std::memory_order_relaxed);
      return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(consumer));
    }
    void await_resume() const noexcept {}
  };
  Handover final_suspend() noexcept {
    value_ = nullptr;
    return {};
  }
  Handover yield_value(T&& value) noexcept {
    value_ = std::addressof(value);
    return {};
  }
  Handover yield_value(T& value) noexcept {
    value_ = std::addressof(value);
    return {};
  }
  // Of a constant a copy is handed on.
  struct Copy : Handover {
    explicit Copy(const T& value) : copy(value) {}
    std::coroutine_handle<> await_suspend(std::coroutine_handle<StreamPromise> self) noexcept {
      self.promise().value_ = std::addressof(copy);
      return Handover::await_suspend(self);
    }
    T copy;
  };
  Copy yield_value(const T& value) { return Copy(value); }
  void return_void() const noexcept {}

  // Starts or continues the body for `consumer`.
  void enter(std::coroutine_handle<> consumer) noexcept {
    ZOKIO_CHECK(link.load(std::memory_order_relaxed) == 0, "a Stream has one consumer at a time");
    scope_ = current_scope();
    link.store(reinterpret_cast<uintptr_t>(consumer.address()), std::memory_order_relaxed);
  }
  std::optional<T> take() {
    if ((status & kException) != 0) [[unlikely]] {
      status &= static_cast<uint8_t>(~kException);
      std::exception_ptr thrown = std::move(*exception());
      std::destroy_at(exception());
      std::rethrow_exception(std::move(thrown));
    }
    if (value_ == nullptr) return std::nullopt;
    return std::optional<T>(std::move(*value_));
  }

 private:
  static const CancelScope* current_scope() noexcept {
    return current_task()->scope.load(std::memory_order_relaxed);
  }

  T* value_ = nullptr;                  // the element, in the body's frame; null at the end
  const CancelScope* scope_ = nullptr;  // the consumer's, when it asked
};

}  // namespace task::internal

template <class T>
class [[nodiscard("a Stream does nothing until next() is awaited")]] Stream {
  static_assert(std::is_object_v<T>, "a Stream yields values; yield a pointer instead");

 public:
  using promise_type = task::internal::StreamPromise<T>;
  using value_type = T;

  Stream(Stream&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Stream() {
    if (frame_) frame_.destroy();
  }

  // The next element; nullopt at the end, and for ever after. Awaited at once, by a task.
  auto next() noexcept { return Next{frame_}; }

 private:
  friend promise_type;
  explicit Stream(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  struct [[nodiscard]] Next {
    explicit Next(std::coroutine_handle<promise_type> f) noexcept : frame(f) {}
    bool await_ready() const noexcept { return frame.done(); }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> consumer) const noexcept {
      frame.promise().enter(consumer);
      return frame;
    }
    std::optional<T> await_resume() const { return frame.promise().take(); }
    std::coroutine_handle<promise_type> frame;
  };

  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Stream<T> task::internal::StreamPromise<T>::get_return_object() noexcept {
  return Stream<T>(std::coroutine_handle<StreamPromise>::from_promise(*this));
}

}  // namespace zokio
