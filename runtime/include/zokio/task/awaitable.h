// SPDX-License-Identifier: Apache-2.0
#pragma once

// What co_await takes, and a Task around it where a function wants tasks.

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include "zokio/task/task.h"

namespace zokio {

// What the compiler asks of an awaiter.
template <class A>
concept Awaiter = requires(std::remove_reference_t<A>& a, std::coroutine_handle<> h) {
  { a.await_ready() } -> std::convertible_to<bool>;
  a.await_suspend(h);
  a.await_resume();
};

namespace internal {

template <class A>
decltype(auto) awaiter_of(A&& a) {
  if constexpr (requires { std::forward<A>(a).operator co_await(); })
    return std::forward<A>(a).operator co_await();
  else if constexpr (requires { operator co_await(std::forward<A>(a)); })
    return operator co_await(std::forward<A>(a));
  else
    return (std::forward<A>(a));
}

}  // namespace internal

template <class A>
concept Awaitable = Awaiter<decltype(internal::awaiter_of(std::declval<A>()))>;

// What awaiting an A yields.
template <Awaitable A>
using AwaitResult = decltype(internal::awaiter_of(std::declval<A>()).await_resume());

// A task that awaits what `make()` returns. For awaitables that are no tasks, where a function
// wants tasks: race(as_task(handle), as_task([] { return sleep(1s); })). A function and not the
// awaitable itself: most of those cannot be moved once they are made.
template <std::move_constructible F>
  requires Awaitable<std::invoke_result_t<F&>>
Task<std::remove_cvref_t<AwaitResult<std::invoke_result_t<F&>>>> as_task(F make) {
  co_return co_await make();
}

// The same for an awaitable that has a name, and outlives the task: a JoinHandle, a receiver.
template <class A>
  requires Awaitable<A&>
Task<std::remove_cvref_t<AwaitResult<A&>>> as_task(A& awaitable) {
  co_return co_await awaitable;
}

}  // namespace zokio
