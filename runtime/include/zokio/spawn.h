// SPDX-License-Identifier: Apache-2.0
#pragma once

// spawn: starts a task beside the current one. See Runtime::spawn for the form from outside.

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "zokio/spawn_rules.h"
#include "zokio/task/join_handle.h"
#include "zokio/task/ledger.h"

namespace zokio {

namespace internal {

template <class F, class... A>
using SpawnResult = typename std::invoke_result_t<F&, A...>::value_type;

// Whether the coroutine itself can be the task: `f` keeps nothing, and no parameter is a reference,
// which would refer into spawn(). Generic callables cannot tell.
template <class F>
inline constexpr bool keeps_nothing_v = false;
template <class R, class... P>
inline constexpr bool keeps_nothing_v<R (*)(P...)> = (!std::is_reference_v<P> && ...);
template <class R, class... P>
inline constexpr bool keeps_nothing_v<R (*)(P...) noexcept> = (!std::is_reference_v<P> && ...);
template <class M>
inline constexpr bool by_value_member_v = false;
template <class R, class C, class... P>
inline constexpr bool by_value_member_v<R (C::*)(P...) const> = (!std::is_reference_v<P> && ...);
template <class F>
  requires std::is_empty_v<F> && requires { &F::operator(); }
inline constexpr bool keeps_nothing_v<F> = by_value_member_v<decltype(&F::operator())>;

// Otherwise a coroutine around it, in whose frame callable and arguments live until it ends, so
// that captures and by-reference parameters of `f` stay valid.
template <class R, class F, class... A>
Task<R> keep_alive(F f, A... args) {
  co_return co_await std::invoke(f, std::move(args)...);
}

// The coroutine of `f(args...)` as a task of its own: adopted, not scheduled, with one handle.
// Inlined always, here and below: `f` is mostly a pointer to a function, and the compiler makes the
// frame on the spot when it sees which one (3 of 35 ns).
template <class F, class... A>
[[gnu::always_inline]] inline auto* make_task(task::Executor& executor, const char* name, F f,
                                              A... args) {
  using R = SpawnResult<F, A...>;
  Task<R> body = [&] [[gnu::always_inline]] {
    if constexpr (keeps_nothing_v<F>)
      return std::invoke(f, std::move(args)...);
    else
      return keep_alive<R, F, A...>(std::move(f), std::move(args)...);
  }();
  auto* task = body.release();
  task->become_task();
  task::adopt(executor, task, name);
  return task;
}

// Makes `body` a task of its own: adopted and scheduled, with one handle.
template <class T>
JoinHandle<T> start(task::Executor& executor, Task<T> body, const char* name = "") {
  auto* task = body.release();
  task->become_task();
  task::adopt(executor, task, name);
  JoinHandle<T> handle(task);
  executor.schedule(task);
  return handle;
}

template <class F, class... A>
[[gnu::always_inline]] inline auto spawn_on(task::Executor& executor, const char* name, F f,
                                            A... args) {
  auto* task = make_task(executor, name, std::move(f), std::move(args)...);
  JoinHandle<SpawnResult<F, A...>> handle(task);
  executor.schedule(task);
  return handle;
}

template <class F, class... A>
Task<typename std::invoke_result_t<F&, A...>::value_type> run_borrowed(F* f,
                                                                       std::tuple<A...>* args) {
  co_return co_await std::apply(*f, std::move(*args));
}

// Rethrows what the task threw: the caller is waiting, so the exception has somewhere to go.
// `await_end(promise)` returns when the task ended.
template <class AwaitEnd, class F, class... A>
auto block_on(task::Executor& executor, AwaitEnd await_end, F f, A&&... args) {
  ZOKIO_CHECK(task::context().worker == task::kNoWorker,
              "block_on would stop the worker that has to finish the task");
  std::tuple<A...> packed(std::forward<A>(args)...);
  auto* task = make_task(executor, "block_on", &run_borrowed<F, A...>, &f, &packed);
  JoinHandle<SpawnResult<F, A...>> handle(task);
  executor.schedule(task);
  await_end(*task);
  auto outcome = handle.wait();
  if (std::exception_ptr exception = handle.exception()) std::rethrow_exception(exception);
  return outcome;
}

}  // namespace internal

// Starts a task on the runtime of the current one. Requires: called from a task.
template <class F, class... A>
  requires internal::Spawnable<F, A...>
[[gnu::always_inline]] inline JoinHandle<internal::SpawnResult<F, A...>> spawn(F f, A... args) {
  task::Header* self = task::current_task();
  ZOKIO_CHECK(self != nullptr, "spawn() is called from a task; elsewhere use Runtime::spawn");
  return internal::spawn_on(*task::executor_of(self), "", std::move(f), std::move(args)...);
}

// The rest, with the reason as the compiler's message.
template <class F, class... A>
  requires(!internal::Spawnable<std::decay_t<F>, std::decay_t<A>...>)
internal::Refused spawn(F&&, A&&...) {
  internal::explain_spawn<std::decay_t<F>, std::decay_t<A>...>();
  return {};
}

// True when the current task was asked to stop. Long computations look at it between steps.
inline bool cancelled() noexcept {
  task::Header* self = task::current_task();
  if (self == nullptr) return false;
  if (self->slot == task::kUnlisted) task::enlist(self);  // or a shutdown would not find it
  return task::cancelled(self);
}

// Lets other ready tasks run first.
class [[nodiscard]] Yield {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) const noexcept {
    task::Header* self = task::suspend_current(h);
    task::executor_of(self)->schedule_last(self);
  }
  void await_resume() const noexcept {}
};
inline Yield yield_now() noexcept {
  return {};
}

}  // namespace zokio
