// SPDX-License-Identifier: Apache-2.0
#pragma once

// with_timeout: bounds a task by a deadline.
//
// The task runs inline; at the deadline it is cancelled and awaited, so nothing of it is left when
// the call returns, and a result that was ready in time is not thrown away.

#include "zokio/base/result.h"
#include "zokio/task/cancel.h"
#include "zokio/task/task.h"
#include "zokio/time/timer.h"

namespace zokio {

namespace internal {

// The cancel scope that a deadline cuts. In force from construction to destruction, which must be
// by the same task.
class DeadlineScope : Pinned {
 public:
  explicit DeadlineScope(Instant deadline) noexcept { timer_.arm(deadline, &strike, this); }
  ~DeadlineScope() { leave(); }

  // Restores the outer scope. True when the deadline had struck.
  bool leave() noexcept {
    if (!left_) {
      left_ = true;
      struck_ = !timer_.cancel();
      scope_.leave();
    }
    return struck_;
  }

 private:
  static void strike(void* self) noexcept { static_cast<DeadlineScope*>(self)->scope_.cancel(); }

  task::CancelScope scope_;
  time::Timer timer_;
  bool left_ = false;
  bool struck_ = false;
};

}  // namespace internal

// The task's outcome, or DeadlineExceeded when the deadline cancelled it.
// Cancel: passes on to the task; its Cancelled comes through.
template <class T>
Task<Outcome<T>> with_deadline(Task<T> task, Instant deadline) {
  internal::DeadlineScope scope(deadline);
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
