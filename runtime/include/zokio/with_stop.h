// SPDX-License-Identifier: Apache-2.0
#pragma once

// with_stop: ties a task to a std::stop_token, for code that stops things by those.

#include <stop_token>

#include "zokio/base/result.h"
#include "zokio/task/cancel.h"
#include "zokio/task/task.h"

namespace zokio {

namespace internal {

struct CancelOnStop {
  task::CancelScope* scope;
  void operator()() const noexcept { scope->cancel(); }
};

}  // namespace internal

// Runs `task` inline; when the token is stopped, by any thread, the task is cancelled and awaited.
// Its outcome, or Cancelled for a void task that was cut short. A token that is stopped already
// cancels from the start; the task runs all the same and sees it at its first wait.
// Cancel: passes on to the task; its Cancelled comes through.
template <class T>
Task<Outcome<T>> with_stop(Task<T> task, std::stop_token token) {
  // The callback goes first at the end: its destructor waits for one that runs on another thread.
  task::CancelScope scope;
  std::stop_callback callback(token, internal::CancelOnStop{&scope});
  if constexpr (std::is_void_v<T>) {
    co_await std::move(task);
    // A void task cannot say that it was cut short; the scope can.
    if (scope.cancelled()) co_return fail(Errc::Cancelled, "with_stop");
    co_return Outcome<T>();
  } else {
    co_return co_await std::move(task);
  }
}

}  // namespace zokio
