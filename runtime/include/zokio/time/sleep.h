// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "zokio/base/result.h"
#include "zokio/task/wait.h"
#include "zokio/time/timer.h"

namespace zokio {

namespace time {

// Awaits an instant. Yields Result<void>: Cancelled when the task was asked to stop first.
// Never early; on an idle worker late by about a timer tick (262 us) and a wake-up.
class [[nodiscard]] Sleep : task::Wait {
 public:
  explicit Sleep(Instant deadline) noexcept : Wait(&kOps), deadline_(deadline) {}

  bool await_ready() noexcept {
    if (is_ahead(deadline_)) return false;
    deadline_ = kPassed;
    return true;
  }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    task::Header* self = task::suspend_current(h);
    // Whoever ends the timer (expiry or cancel) wakes the task.
    return task::begin_wait(self, this, [this, self]() noexcept {
      timer_.arm(deadline_, self);
      return true;
    });
  }
  Result<void> await_resume() noexcept {
    if (deadline_ == kPassed) return {};
    task::end_wait(task::current_task());
    if (timer_.take_wake_up()) return {};
    return fail(Errc::Cancelled, "sleep");
  }

 private:
  static constexpr Instant kPassed{INT64_MIN};

  static void interrupt(Wait* base) noexcept {
    if (task::Header* task = static_cast<Sleep*>(base)->timer_.cancel_wake_up()) task::wake(task);
  }
  static constexpr task::WaitOps kOps{&interrupt, "sleep"};

  Instant deadline_;
  Timer timer_;
};

}  // namespace time

inline time::Sleep sleep_until(Instant deadline) noexcept {
  return time::Sleep(deadline);
}
inline time::Sleep sleep(Duration duration) noexcept {
  return time::Sleep(Instant::now() + duration);
}

}  // namespace zokio
