// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cancellation: a request that is delivered to the wait in progress, and then awaited.
//
// A task has one flag of its own and a stack of CancelScopes (a timeout, a structured block, a
// shield), each in a frame of the task and linked to the next outer one. Cancelling a scope ends
// the task's wait with Errc::Cancelled, if that wait lies inside the scope, and cancels the
// structured children that were started in it. Nothing is destroyed: the code decides what to do.
//
// A leaf wait pays one fence and one compare-and-swap for being cancellable (wait.h); a scope costs
// a lock when it ends (a shield when it begins, too), and nothing while it lasts. A deep stack of
// scopes is walked at each wait: it is as deep as the blocks are nested.
//
// Locks: each task has one (Header::kLocked). Taken from parent to child, never upwards.
// Thread: constructed and left by the task it belongs to; cancel() and cancelled() from any thread
// that can be sure the scope is in force.

#include "zokio/base/atomic.h"
#include "zokio/base/pinned.h"
#include "zokio/task/header.h"

namespace zokio::task {

class ChildLink;

class CancelScope : Pinned {
 public:
  enum class Kind : uint8_t {
    Open,    // an outer cancel reaches the inside
    Shield,  // an outer cancel waits until the scope ends; cancelling the scope itself works
    Value,   // binds a task-local, and is never cancelled: local.h
    Locals,  // the bottom of a structured child's stack: its task-locals go on in the parent's
  };

  // Enters. Requires: called from a task.
  explicit CancelScope(Kind kind = Kind::Open) noexcept;
  ~CancelScope() { leave(); }
  // Ends it; the innermost first. Idempotent.
  void leave() noexcept;

  // Requests cancellation of what runs inside. Idempotent.
  void cancel() noexcept;
  // True once this scope was cancelled, not by an outer one. Stays readable after leave().
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }

  Kind kind() const noexcept { return kind_; }
  // Whose it is; null for Kind::Locals.
  Header* task() const noexcept { return task_; }
  // Constant while this one is in force.
  const CancelScope* outer() const noexcept { return outer_; }

 protected:
  // Not entered: a part of other tasks' stacks.
  CancelScope(Kind kind, Header* task) noexcept
      : task_(task), outer_(nullptr), kind_(kind), in_force_(false) {}

 private:
  friend class ChildLink;
  friend bool cancelled(const Header* task) noexcept;
  friend bool cancelled_in(const CancelScope* scope) noexcept;
  friend void deliver(Header* task, const CancelScope* outermost) noexcept;

  Header* const task_;
  CancelScope* const outer_;
  const Kind kind_;
  bool in_force_ = true;  // guarded by the task's lock
  Atomic<bool> cancelled_{false};
  ChildLink* children_ = nullptr;  // guarded by the task's lock
};

// A structured child is cancelled with the scope it was started in, from construction to detach().
// Lives in the child's frame. Thread: the child's.
class ChildLink : Pinned {
 public:
  // Cancels the child at once when the scope is cancelled already. `scope` stays in force until
  // detach(): its task waits for the child.
  ChildLink(CancelScope& scope, Header* child) noexcept;
  ~ChildLink() { detach(); }
  void detach() noexcept;

 private:
  friend void deliver(Header* task, const CancelScope* outermost) noexcept;

  CancelScope* scope_;
  Header* const child_;
  // Guarded by the lock of the scope's task.
  ChildLink* next_ = nullptr;
  ChildLink* prev_ = nullptr;
};

// Takes the entry of Kind::Locals off the stack of `task`, the current one. Requires: it is alone.
void drop_locals(Header* task) noexcept;

// Asks the whole task to end. Idempotent. Requires: the task stays alive until this returns.
void cancel(Header* task) noexcept;

// Whether the task was asked to stop, seen from its innermost scope. Thread: the task's.
inline bool cancelled(const Header* task) noexcept {
  for (const CancelScope* s = task->scope.load(std::memory_order_relaxed); s != nullptr;
       s = s->outer_) {
    if (s->cancelled()) return true;
    if (s->kind_ == CancelScope::Kind::Shield) return false;
  }
  return (task->flags.load(std::memory_order_acquire) & Header::kCancelled) != 0;
}

}  // namespace zokio::task
