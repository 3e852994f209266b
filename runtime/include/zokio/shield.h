// SPDX-License-Identifier: Apache-2.0
#pragma once

// Shield: waits inside its life do not see that the task was asked to stop from outside. For
// undoing what must not stay: ending a child, removing a partial file. Keep what it covers short or
// bounded. Thread: made and destroyed by the same task.

#include "zokio/task/cancel.h"
#include "zokio/task/task.h"

namespace zokio {

class Shield : Pinned {
 private:
  task::CancelScope scope_{task::CancelScope::Kind::Shield};  // nobody cancels it
};

// Runs `task` to its end whatever is asked of the caller meanwhile; a cancel that came is seen by
// the caller's next wait.
template <class T>
Task<T> shielded(Task<T> task) {
  Shield shield;
  co_return co_await std::move(task);
}

}  // namespace zokio
