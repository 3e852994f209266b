// SPDX-License-Identifier: Apache-2.0
#pragma once

// Task<T>: a coroutine that starts when it is awaited and ends before its awaiter goes on.
//
// Lazy, move-only, awaited once. Because the awaiter is suspended meanwhile, a task may take
// references to what the awaiter owns. It is resumed by symmetric transfer, so depth costs no
// stack. An exception that leaves it is rethrown in the awaiter; at a spawn it becomes an Error.
//
//   Task<Result<size_t>> copy(File& from, File& to);
//   auto n = co_await copy(a, b);
//
// Never make a capturing lambda a coroutine: its captures die at the first suspension. Pass the
// values as parameters, or give callable and arguments to spawn(), which keeps both.
// Source: the shape is that of cppcoro::task (Lewis Baker).

#include <coroutine>
#include <type_traits>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/task/fork.h"
#include "zokio/task/promise.h"

namespace zokio {

template <class T = void>
class Task;

namespace task::internal {

template <class T>
struct TaskPromise : ValuePromise<T> {
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    [[gnu::always_inline]] std::coroutine_handle<> await_suspend(
        std::coroutine_handle<TaskPromise> self) const noexcept {
      TaskPromise& promise = self.promise();
      const uintptr_t link = promise.link.load(std::memory_order_relaxed);
      if ((link & kLinkBits) == 0)
        return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(link));
      if ((link & (kRoot | kStolen)) == 0) {
        promise.drop_parameters();
        return end_in_place(reinterpret_cast<Fork*>(link - kBranch));
      }
      if ((link & kRoot) == 0) return end_stolen(&promise, promise.ending());
      return finish(&promise, promise.ending(), &ValuePromise<T>::discard);
    }
    void await_resume() const noexcept {}
  };
  // The header and the outcome outlive the coroutine: promise.h.
  static_assert(std::is_trivially_destructible_v<ValuePromise<T>>);

  // The parameters of the coroutine. Those by reference count, too: that costs little.
  template <class... P>
  explicit TaskPromise(P&...) noexcept {
    if constexpr (!(std::is_trivially_destructible_v<P> && ...)) this->status |= Header::kOwning;
  }

  Task<T> get_return_object() noexcept;
  FinalAwaiter final_suspend() const noexcept { return {}; }
};

}  // namespace task::internal

// One pointer, passed and returned in a register where the compiler knows how to say so. Through
// memory, the temporaries of `co_await fork(a(), b())` would take room and tests in each frame.
#if defined(__clang__)
#define ZOKIO_TRIVIAL_ABI [[clang::trivial_abi]]
#else
#define ZOKIO_TRIVIAL_ABI
#endif

template <class T>
class [[nodiscard("a Task does nothing until it is awaited")]] ZOKIO_TRIVIAL_ABI Task {
  static_assert(!std::is_reference_v<T>, "a Task returns values; return a pointer instead");

 public:
  using promise_type = task::internal::TaskPromise<T>;
  using value_type = T;

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~Task() { reset(); }

  // Runs it and yields its value. Once.
  auto operator co_await() && noexcept { return Awaiter{frame_}; }

  // Gives up the frame, suspended before its first step; for spawn().
  promise_type* release() noexcept { return &std::exchange(frame_, nullptr).promise(); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  struct Awaiter {
    explicit Awaiter(std::coroutine_handle<promise_type> f) noexcept : frame(f) {}
    bool await_ready() const noexcept {
      ZOKIO_DCHECK(frame && !frame.done(), "a Task is awaited once");
      return false;
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) const noexcept {
      frame.promise().link.store(reinterpret_cast<uintptr_t>(awaiter.address()),
                                 std::memory_order_relaxed);
      return frame;
    }
    T await_resume() const { return frame.promise().take(); }
    std::coroutine_handle<promise_type> frame;
  };

  void reset() noexcept {
    if (!frame_) return;
    frame_.promise().drop_outcome();
    frame_.destroy();
  }

  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Task<T> task::internal::TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

template <class T>
inline constexpr bool is_task_v = false;
template <class T>
inline constexpr bool is_task_v<Task<T>> = true;

}  // namespace zokio
