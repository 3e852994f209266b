// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plain functions that may block, on threads of the blocking pool.
//
//   blocking(f)         the caller waits for it here, so it may use what the caller owns
//   spawn_blocking(f)   goes on beside the caller, under a handle; owns its arguments
//
// Neither can be cancelled once it runs: a function that blocks has to be asked by its own means.

#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "zokio/base/result.h"
#include "zokio/spawn.h"
#include "zokio/task/header.h"

namespace zokio {

namespace internal {

template <class F>
class [[nodiscard]] Blocking : task::OffloadJob {
  using R = std::invoke_result_t<F&>;

 public:
  explicit Blocking(F f) : f_(std::move(f)) { run = &run_it; }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    waiter_ = task::suspend_current(h);
    // The pool resumes the task through wake(), never on the blocking thread.
    if (task::executor_of(waiter_)->offload(this)) return true;
    refused_ = true;
    return false;
  }
  // The function's value; its exception is rethrown here. Unavailable/Shutdown: the pool is
  // stopping.
  Outcome<R> await_resume() {
    if (refused_) return fail(Errc::Unavailable, "blocking", Detail::Shutdown);
    if (exception_) std::rethrow_exception(exception_);
    return *std::move(outcome_);
  }

 private:
  static void run_it(OffloadJob* job) noexcept {
    auto* self = static_cast<Blocking*>(job);
    try {
      if constexpr (std::is_void_v<R>) {
        self->f_();
        self->outcome_.emplace();
      } else {
        self->outcome_.emplace(self->f_());
      }
    } catch (...) {
      self->exception_ = std::current_exception();
    }
    task::wake(self->waiter_);
  }

  F f_;
  task::Header* waiter_ = nullptr;
  bool refused_ = false;
  std::optional<Outcome<R>> outcome_;
  std::exception_ptr exception_;
};

}  // namespace internal

// co_await blocking([&] { return stat_something(); })
template <class F>
auto blocking(F f) {
  return internal::Blocking<F>(std::move(f));
}

namespace internal {

// Takes the task that awaits it to a thread of the pool, where it goes on to its end: nothing comes
// back to a worker but what waits for that end. False: the pool is stopping, and it stays.
class [[nodiscard]] ToPool : task::OffloadJob {
 public:
  ToPool() noexcept { run = &run_it; }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    // Not suspend_current(): it does not get into the list of live tasks. It cannot be cancelled,
    // and being listed and leaving again, on another thread, is a fifth of what a short call costs.
    task_ = task::current_task();
    task_->resume_point = h;
    // It may be at its end, elsewhere, when this returns.
    if (task::executor_of(task_)->offload(this)) return true;
    refused_ = true;
    return false;
  }
  bool await_resume() const noexcept { return !refused_; }

 private:
  static void run_it(OffloadJob* job) noexcept {
    static_cast<ToPool*>(job)->task_->resume_point.resume();
  }

  task::Header* task_ = nullptr;
  bool refused_ = false;
};

template <class R, class F, class... A>
Task<Outcome<R>> run_blocking(F f, A... args) {
  const bool there = co_await ToPool();
  if (!there) co_return fail(Errc::Unavailable, "blocking", Detail::Shutdown);
  if constexpr (std::is_void_v<R>) {
    std::invoke(f, std::move(args)...);
    co_return Outcome<R>();
  } else {
    co_return Outcome<R>(std::invoke(f, std::move(args)...));
  }
}

template <class F, class... A>
concept BlockingCallable = std::invocable<F&, A...> && (OwnedArg<A> && ...);

template <class F, class... A>
auto spawn_blocking_on(task::Executor& executor, F f, A... args) {
  using R = std::invoke_result_t<F&, A...>;
  static_assert(!is_task_v<R>, "zokio::spawn_blocking runs plain functions; spawn() runs tasks");
  static_assert(!std::is_reference_v<R>, "zokio::spawn_blocking: return a value, not a reference");
  auto* task = run_blocking<R, F, A...>(std::move(f), std::move(args)...).release();
  task->become_task();
  executor.adopt(task, "");
  JoinHandle<Outcome<R>> handle(task);
  // Its first step, to ToPool, happens here.
  task::Header* const caller = std::exchange(task::context().current, task);
  task->resume_point.resume();
  task::context().current = caller;
  return handle;
}

}  // namespace internal

// Starts `f(args...)` and gives a handle whose join yields its value, or the Error it returned;
// Internal/Panicked when it threw, Unavailable/Shutdown when the pool is stopping. Cancelling the
// handle has no effect on a function. Requires: called from a task; elsewhere
// Runtime::spawn_blocking.
template <class F, class... A>
  requires internal::BlockingCallable<F, A...>
auto spawn_blocking(F f, A... args) {
  task::Header* self = task::current_task();
  ZOKIO_CHECK(self != nullptr, "called from a task; elsewhere use Runtime::spawn_blocking");
  return internal::spawn_blocking_on(*task::executor_of(self), std::move(f), std::move(args)...);
}

}  // namespace zokio
