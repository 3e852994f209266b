// SPDX-License-Identifier: Apache-2.0
#pragma once

// DeadlineScope: what is awaited while it lasts is cancelled at an instant. with_timeout is made of
// it; modules below use it where a wait has two ends.

#include "zokio/base/pinned.h"
#include "zokio/task/cancel.h"
#include "zokio/time/timer.h"

namespace zokio::time {

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
  Timer timer_;
  bool left_ = false;
  bool struck_ = false;
};

}  // namespace zokio::time
