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

  bool await_ready() const noexcept { return deadline_ <= Instant::now(); }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    task_ = task::suspend_current(h);
    // Whoever ends the timer (expiry or cancel) wakes the task.
    return task::begin_wait(task_, this, [this]() noexcept {
      timer_.arm(deadline_, task_);
      return true;
    });
  }
  Result<void> await_resume() noexcept {
    if (task_ != nullptr) task::end_wait(task_);
    if (task_ == nullptr || timer_.take_wake_up()) return {};
    return fail(Errc::Cancelled, "sleep");
  }

 private:
  static void interrupt(Wait* base) noexcept {
    auto* self = static_cast<Sleep*>(base);
    task::Header* task = self->task_;
    if (self->timer_.cancel()) task::wake(task);
  }
  static constexpr task::WaitOps kOps{&interrupt, "sleep"};

  Instant deadline_;
  task::Header* task_ = nullptr;
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
