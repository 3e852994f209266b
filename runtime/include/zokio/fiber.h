// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fibers: a plain function that runs on a stack of its own inside the calling task, and may await.
// For code that cannot be a coroutine: C libraries with callbacks, deep recursion, old code.
//
//   auto sorted = co_await fiber([&] {
//     qsort_r(rows, count, sizeof *rows, +[](const void* a, const void* b, void* db) {
//       return fiber_await(compare(*static_cast<Db*>(db), a, b));   // waits; the worker does not
//     }, &db);
//   });
//
// The task waits for the fiber as it would for a Task: the function may use what its caller owns.
// It may continue on another worker after each fiber_await; see docs/fibers.md for what not to do.
// A call that blocks the thread still blocks the worker: that is what blocking() is for.

#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/base/result.h"
#include "zokio/fiber/machine.h"
#include "zokio/task/task.h"

namespace zokio {

namespace fibers {

// What `co_await a` would ask: the result of operator co_await, or `a` itself.
template <class A>
decltype(auto) awaiter_of(A&& a) {
  if constexpr (requires { std::forward<A>(a).operator co_await(); })
    return std::forward<A>(a).operator co_await();
  else if constexpr (requires { operator co_await(std::forward<A>(a)); })
    return operator co_await(std::forward<A>(a));
  else
    return std::forward<A>(a);
}

template <class W>
concept Awaiter = requires(W& w, std::coroutine_handle<> h) {
  { w.await_ready() } -> std::convertible_to<bool>;
  w.await_suspend(h);
  w.await_resume();
};

template <class A>
concept Awaitable =
    Awaiter<std::remove_reference_t<decltype(fibers::awaiter_of(std::declval<A>()))>>;

// What co_await yields; a value where that would refer into an awaiter that is gone by then.
template <class W, class R = decltype(std::declval<W&>().await_resume())>
using AwaitResult = std::conditional_t<std::is_rvalue_reference_v<R>, std::remove_cvref_t<R>, R>;

// await_suspend of a W behind one type. Runs on the worker's stack.
template <class W>
std::coroutine_handle<> suspend_in(void* awaiter, std::coroutine_handle<> h) noexcept {
  W& w = *static_cast<W*>(awaiter);
  using Said = decltype(w.await_suspend(h));
  if constexpr (std::is_void_v<Said>) {
    w.await_suspend(h);
    return std::noop_coroutine();
  } else if constexpr (std::is_same_v<Said, bool>) {
    if (w.await_suspend(h)) return std::noop_coroutine();
    return h;
  } else {
    return w.await_suspend(h);
  }
}

// The call of the function on the fiber, and what came of it.
template <class R, class F, class... A>
class Call : Pinned {
 public:
  explicit Call(F& f, A&... args) noexcept : f_(f), args_(args...) {}

  static void run(void* call) noexcept {
    auto* self = static_cast<Call*>(call);
    try {
      self->invoke();
    } catch (...) {
      self->exception_ = std::current_exception();
    }
  }
  Outcome<R> take() {
    if (exception_) std::rethrow_exception(std::move(exception_));
    return *std::move(outcome_);
  }

 private:
  void invoke() {
    std::apply(
        [this](A&... args) {
          if constexpr (std::is_void_v<R>) {
            std::invoke(f_, std::move(args)...);
            outcome_.emplace();
          } else {
            outcome_.emplace(std::invoke(f_, std::move(args)...));
          }
        },
        args_);
  }

  F& f_;
  std::tuple<A&...> args_;
  std::optional<Outcome<R>> outcome_;
  std::exception_ptr exception_;
};

template <class F, class... A>
using FiberResult = std::invoke_result_t<F&, A...>;

}  // namespace fibers

// True in the function of a fiber and in what it calls; false in coroutines.
inline bool in_fiber() noexcept {
  return fibers::Fiber::current() != nullptr;
}

// Runs `f(args...)`, a plain function, on a fiber and yields its value; an exception that leaves it
// is rethrown here. Both are moved into the task.
// Errors: ResourceExhausted (Limit: the cap on stacks, else the system), InvalidArgument (stack
// above kMaxStackBytes). Then f was not called.
// Cancel: what the fiber waits for says so; it runs to its end.
template <class F, class... A>
  requires std::invocable<F&, A...>
Task<Outcome<fibers::FiberResult<F, A...>>> fiber(FiberOptions options, F f, A... args) {
  using R = fibers::FiberResult<F, A...>;
  static_assert(!is_task_v<R>, "fiber() runs a plain function; a coroutine is awaited directly");
  fibers::Call<R, F, A...> call(f, args...);
  fibers::Fiber fiber(options, &fibers::Call<R, F, A...>::run, &call);
  Result<void> started = fiber.start();
  if (!started.has_value()) co_return fail(started.error());
  while (!fiber.resume()) co_await fiber.waiting();
  co_return call.take();
}
template <class F, class... A>
  requires std::invocable<F&, A...>
auto fiber(F f, A... args) {
  return fiber(FiberOptions(), std::move(f), std::move(args)...);
}

// What `co_await awaitable` would be, from a fiber: suspends the whole task until it is there, and
// the worker does other work meanwhile. Requires: in_fiber(); aborts with a message otherwise.
template <fibers::Awaitable A>
decltype(auto) fiber_await(A&& awaitable) {
  fibers::Fiber* const self = fibers::Fiber::current();
  ZOKIO_CHECK(self != nullptr,
              "fiber_await() outside a fiber: a coroutine uses co_await, and a plain function is "
              "run by fiber()");
  auto&& awaiter = fibers::awaiter_of(std::forward<A>(awaitable));
  using W = std::remove_reference_t<decltype(awaiter)>;
  if (!awaiter.await_ready())
    self->wait(
        {const_cast<std::remove_const_t<W>*>(std::addressof(awaiter)), &fibers::suspend_in<W>});
  return static_cast<fibers::AwaitResult<W>>(awaiter.await_resume());
}

}  // namespace zokio
