// SPDX-License-Identifier: Apache-2.0
#pragma once

// spawn: starts a task beside the current one. See Runtime::spawn for the form from outside.

#include <functional>
#include <semaphore>
#include <span>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

#include "zokio/task/join_handle.h"

namespace zokio {

namespace internal {

template <class T>
inline constexpr bool is_span_v = false;
template <class T, std::size_t N>
inline constexpr bool is_span_v<std::span<T, N>> = true;

// What may be moved into a task that can outlive its spawner. A reference travels as std::ref,
// which says that somebody thought about its lifetime.
template <class A>
concept OwnedArg =
    !std::is_lvalue_reference_v<A> && !std::is_same_v<std::remove_cvref_t<A>, std::string_view> &&
    !is_span_v<std::remove_cvref_t<A>>;

template <class F, class... A>
concept TaskCallable = is_task_v<std::invoke_result_t<F&, A...>>;

template <class F, class... A>
concept Spawnable = TaskCallable<F, A...> && (OwnedArg<A> && ...);

template <class F, class... A>
using SpawnResult = typename std::invoke_result_t<F&, A...>::value_type;

// The coroutine behind a spawned task. Callable and arguments live in its frame until it ends, so
// captures and by-reference parameters of `f` stay valid.
template <class R>
struct SpawnCoroutine {
  using promise_type = task::internal::SpawnPromise<R>;
  SpawnCoroutine(promise_type* p) noexcept : promise(p) {}
  promise_type* promise;
};

template <class R, class F, class... A>
SpawnCoroutine<R> spawn_frame(F f, A... args) {
  if constexpr (std::is_void_v<R>) {
    co_await std::invoke(f, std::move(args)...);
    co_return Outcome<R>();
  } else {
    co_return Outcome<R>(co_await std::invoke(f, std::move(args)...));
  }
}

// Builds the task, suspended before its first step, with one reference for the run and one for the
// handle. Not scheduled.
template <class F, class... A>
auto make_task(task::Executor& executor, const char* name, task::CancelScope* parent, F f,
               A... args) {
  using R = SpawnResult<F, A...>;
  auto* task = spawn_frame<R, F, A...>(std::move(f), std::move(args)...).promise;
  task->executor = &executor;
  task->name = name;
  task->cancel.attach(parent);
  task->retain();
  executor.adopt(task);
  return task;
}

template <class F, class... A>
auto spawn_on(task::Executor& executor, const char* name, F f, A... args) {
  auto* task = make_task(executor, name, nullptr, std::move(f), std::move(args)...);
  JoinHandle<SpawnResult<F, A...>> handle(task);
  executor.schedule(task);
  return handle;
}

template <class R, class F, class... A>
Task<void> run_blocking(F* f, std::tuple<A...>* args, std::optional<Outcome<R>>* out,
                        std::exception_ptr* exception, std::binary_semaphore* done) {
  try {
    if constexpr (std::is_void_v<R>) {
      co_await std::apply(*f, std::move(*args));
      out->emplace();
    } else {
      out->emplace(co_await std::apply(*f, std::move(*args)));
    }
  } catch (...) {
    *exception = std::current_exception();
  }
  done->release();
}

// Rethrows what the task threw: the caller is waiting, so the exception has somewhere to go.
template <class F, class... A>
auto block_on(task::Executor& executor, F f, A&&... args) {
  using R = typename std::invoke_result_t<F&, A...>::value_type;
  ZOKIO_CHECK(task::context().worker == task::kNoWorker,
              "block_on would stop the worker that has to finish the task");
  std::tuple<A...> packed(std::forward<A>(args)...);
  std::optional<Outcome<R>> out;
  std::exception_ptr exception;
  std::binary_semaphore done(0);
  auto handle = spawn_on(executor, "block_on", &run_blocking<R, F, A...>, &f, &packed, &out,
                         &exception, &done);
  done.acquire();
  // The task is on its last steps: the caller must not find it alive in the figures.
  while (!handle.finished()) std::this_thread::yield();
  if (exception) std::rethrow_exception(exception);
  return std::move(*out);
}

}  // namespace internal

// Starts a task on the runtime of the current one. Requires: called from a task.
template <class F, class... A>
  requires internal::Spawnable<F, A...>
JoinHandle<internal::SpawnResult<F, A...>> spawn(F f, A... args) {
  task::Header* self = task::current_task();
  ZOKIO_CHECK(self != nullptr, "spawn() is called from a task; elsewhere use Runtime::spawn");
  return internal::spawn_on(*self->executor, "", std::move(f), std::move(args)...);
}

// True when the current task was asked to stop. Long computations look at it between steps.
inline bool cancelled() noexcept {
  task::Header* self = task::current_task();
  return self != nullptr && self->scope->cancelled();
}

// Lets other ready tasks run first.
class [[nodiscard]] Yield {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) const noexcept {
    task::Header* self = task::suspend_current(h);
    self->executor->schedule_last(self);
  }
  void await_resume() const noexcept {}
};
inline Yield yield_now() noexcept {
  return {};
}

}  // namespace zokio
