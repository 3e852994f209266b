// SPDX-License-Identifier: Apache-2.0
#pragma once

// blocking: runs a plain function that may block on a thread of the blocking pool.
// Not cancellable once it runs: the task waits for it, so it may use what the task owns.

#include <exception>
#include <functional>
#include <optional>

#include "zokio/base/result.h"
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

}  // namespace zokio
