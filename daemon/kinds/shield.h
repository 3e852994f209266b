// SPDX-License-Identifier: Apache-2.0
#pragma once

// Shield: waits inside its life do not see that the task was asked to stop. For undoing what must
// not stay: ending a child, removing a partial file. Keep what it covers short or bounded. Thread:
// made and destroyed by the same task.

#include "zokio/task/header.h"

namespace zokiod::kinds {

class Shield : zokio::Pinned {
 public:
  Shield() : task_(zokio::task::current_task()), outer_(task_->scope) { task_->scope = &scope_; }
  ~Shield() { task_->scope = outer_; }

 private:
  zokio::task::Header* task_;
  zokio::task::CancelScope* outer_;
  zokio::task::CancelScope scope_;  // nobody cancels it
};

}  // namespace zokiod::kinds
