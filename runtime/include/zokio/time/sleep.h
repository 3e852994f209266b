// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "zokio/base/result.h"
#include "zokio/task/header.h"
#include "zokio/time/timer_entry.h"

namespace zokio {

namespace time {

// Awaits an instant. Yields Result<void>: Cancelled when the task was asked to stop first.
// Never early; on an idle worker late by about a timer tick (262 us) and a wake-up.
class [[nodiscard]] Sleep : task::CancelCallback {
 public:
  explicit Sleep(Instant deadline) noexcept : CancelCallback(&on_cancel), deadline_(deadline) {}

  bool await_ready() const noexcept { return deadline_ <= Instant::now(); }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    entry_.task = task::suspend_current(h);
    // Whoever takes the entry out of the wheel (expiry or cancel) wakes the task.
    return link_and(entry_.task->scope, [this]() noexcept {
      entry_.arm(deadline_);
      return true;
    });
  }
  Result<void> await_resume() noexcept {
    unlink();
    if (entry_.task == nullptr || entry_.fired()) return {};
    return fail(Errc::Cancelled, "sleep");
  }

 private:
  static void on_cancel(CancelCallback* base) noexcept {
    auto* self = static_cast<Sleep*>(base);
    task::Header* task = self->entry_.task;
    if (self->entry_.cancel()) task::wake(task);
  }

  Instant deadline_;
  TimerEntry entry_{static_cast<task::Header*>(nullptr)};
};

}  // namespace time

inline time::Sleep sleep_until(Instant deadline) noexcept {
  return time::Sleep(deadline);
}
inline time::Sleep sleep(Duration duration) noexcept {
  return time::Sleep(Instant::now() + duration);
}

}  // namespace zokio
