// SPDX-License-Identifier: Apache-2.0
#pragma once

// with_timeout: bounds a task by a deadline.
//
// The task runs inline; at the deadline it is cancelled and awaited, so nothing of it is left when
// the call returns, and a result that was ready in time is not thrown away.

#include "zokio/base/result.h"
#include "zokio/task/task.h"
#include "zokio/time/deadline.h"

namespace zokio {

// The task's outcome, or DeadlineExceeded when the deadline cancelled it.
// Cancel: passes on to the task; its Cancelled comes through.
template <class T>
Task<Outcome<T>> with_deadline(Task<T> task, Instant deadline) {
  time::DeadlineScope scope(deadline);
  if constexpr (std::is_void_v<T>) {
    co_await std::move(task);
    // A void task cannot say that it was cut short; the deadline can.
    if (scope.leave()) co_return fail(Errc::DeadlineExceeded, "with_deadline");
    co_return Outcome<T>();
  } else {
    Outcome<T> outcome = co_await std::move(task);
    const bool struck = scope.leave();
    if (struck && !outcome.has_value() && outcome.error().code == Errc::Cancelled)
      co_return fail(Errc::DeadlineExceeded, "with_deadline");
    co_return outcome;
  }
}

template <class T>
Task<Outcome<T>> with_timeout(Task<T> task, Duration timeout) {
  return with_deadline(std::move(task), Instant::now() + timeout);
}

}  // namespace zokio
