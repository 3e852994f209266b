// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "zokio/base/result.h"
#include "zokio/task/wait.h"
#include "zokio/time/timer_entry.h"

namespace zokio {

namespace time {

// Awaits an instant. Yields Result<void>: Cancelled when the task was asked to stop first.
// Never early; on an idle worker late by about a timer tick (262 us) and a wake-up.
class [[nodiscard]] Sleep : task::Wait {
 public:
  explicit Sleep(Instant deadline) noexcept : Wait(&kOps), deadline_(deadline) {}

  bool await_ready() const noexcept { return deadline_ <= Instant::now(); }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    entry_.task = task::suspend_current(h);
    // Whoever takes the entry out of the wheel (expiry or cancel) wakes the task.
    return task::begin_wait(entry_.task, this, [this]() noexcept {
      entry_.arm(deadline_);
      return true;
    });
  }
  Result<void> await_resume() noexcept {
    if (entry_.task != nullptr) task::end_wait(entry_.task);
    if (entry_.task == nullptr || entry_.fired()) return {};
    return fail(Errc::Cancelled, "sleep");
  }

 private:
  static void interrupt(Wait* base) noexcept {
    auto* self = static_cast<Sleep*>(base);
    task::Header* task = self->entry_.task;
    if (self->entry_.cancel()) task::wake(task);
  }
  static constexpr task::WaitOps kOps{&interrupt, "sleep"};

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
