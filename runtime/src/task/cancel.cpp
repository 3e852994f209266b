// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/cancel.h"

#include <optional>

#include "zokio/base/assert.h"
#include "zokio/base/fence.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/wait.h"

namespace zokio::task {
namespace {

// The lock of a task, for its stack of scopes and their children.
class TaskLock : Pinned {
 public:
  explicit TaskLock(Header* task) noexcept : task_(task) {
    for (int spins = 0;
         (task->flags.fetch_or(Header::kLocked, std::memory_order_acquire) & Header::kLocked) != 0;
         ++spins) {
      spin_pause(spins);
    }
  }
  // The other bits change under the lock only, so this is a store.
  ~TaskLock() {
    const uint8_t flags = task_->flags.load(std::memory_order_relaxed);
    task_->flags.store(static_cast<uint8_t>(flags & ~Header::kLocked), std::memory_order_release);
  }

 private:
  Header* task_;
};

// Ends the wait in progress, if there is one. Requires: the task's lock.
void interrupt(Header* task) noexcept {
  for (int spins = 0;; ++spins) {
    uintptr_t word = task->wait.load(std::memory_order_acquire);
    if (word == 0) return;
    if ((word & kWaitBits) != 0) {
      spin_pause(spins);
      continue;
    }
    if (!task->wait.compare_exchange_weak(word, word | kWaitInterrupt, std::memory_order_acq_rel,
                                          std::memory_order_relaxed))
      continue;
    auto* wait = reinterpret_cast<Wait*>(word);
    wait->ops->interrupt(wait);
    // Once for each wait: a second cancel finds nothing.
    task->wait.store(0, std::memory_order_release);
    return;
  }
}

}  // namespace

// Cancels what lies inside `outermost` (null: all of the task): the structured children, and the
// wait in progress. Requires: the task's lock, and the flag is set.
void deliver(Header* task, const CancelScope* outermost) noexcept {
  full_fence();  // the flag before the looks at scope and wait; the other side is in begin_wait()
  // Ordering: acquire pairs with the release in the constructor of the scope.
  const CancelScope* from = task->scope.load(std::memory_order_acquire);
  bool shielded = false;
  for (const CancelScope* s = from; s != outermost; s = s->outer_) {
    if (s->kind_ != CancelScope::Kind::Shield) continue;
    shielded = true;
    from = s->outer_;
  }
  for (const CancelScope* s = from; s != nullptr; s = s->outer_) {
    for (ChildLink* link = s->children_; link != nullptr; link = link->next_) cancel(link->child_);
    if (s == outermost) break;
  }
  if (!shielded) interrupt(task);
}

bool cancelled_in(const CancelScope* scope) noexcept {
  for (const CancelScope* s = scope; s != nullptr; s = s->outer_) {
    if (s->cancelled()) return true;
    if (s->kind_ == CancelScope::Kind::Shield) return false;
  }
  return (scope->task_->flags.load(std::memory_order_acquire) & Header::kCancelled) != 0;
}

void cancel(Header* task) noexcept {
  if ((task->flags.load(std::memory_order_acquire) & Header::kCancelled) != 0) return;
  TaskLock lock(task);
  if ((task->flags.fetch_or(Header::kCancelled, std::memory_order_seq_cst) & Header::kCancelled) ==
      0)
    deliver(task, nullptr);
}

CancelScope::CancelScope(Kind kind) noexcept
    : task_(current_task()), outer_(task_->scope.load(std::memory_order_relaxed)), kind_(kind) {
  // A canceller that has looked for shields already ends the wait of before, and not one inside.
  std::optional<TaskLock> lock;
  if (kind == Kind::Shield) lock.emplace(task_);
  // Ordering: release; a canceller that finds the scope finds it complete.
  task_->scope.store(this, std::memory_order_release);
}

void CancelScope::leave() noexcept {
  if (!in_force_) return;
  TaskLock lock(task_);
  ZOKIO_CHECK(task_->scope.load(std::memory_order_relaxed) == this, "scopes end innermost first");
  ZOKIO_CHECK(children_ == nullptr, "children outlive their scope: await it before it goes");
  in_force_ = false;
  task_->scope.store(outer_, std::memory_order_relaxed);
}

void drop_locals(Header* task) noexcept {
  TaskLock lock(task);
  const CancelScope* last = task->scope.load(std::memory_order_relaxed);
  ZOKIO_CHECK(last != nullptr && last->kind() == CancelScope::Kind::Locals,
              "scopes end innermost first");
  task->scope.store(nullptr, std::memory_order_relaxed);
}

void CancelScope::cancel() noexcept {
  if (cancelled()) return;
  TaskLock lock(task_);
  if (!in_force_) return;
  if (!cancelled_.exchange(true, std::memory_order_seq_cst)) deliver(task_, this);
}

ChildLink::ChildLink(CancelScope& scope, Header* child) noexcept : scope_(&scope), child_(child) {
  bool late;
  {
    TaskLock lock(scope.task_);
    next_ = scope.children_;
    if (next_ != nullptr) next_->prev_ = this;
    scope.children_ = this;
    late = cancelled_in(&scope);
  }
  if (late) cancel(child);
}

void ChildLink::detach() noexcept {
  if (scope_ == nullptr) return;
  TaskLock lock(scope_->task_);
  (prev_ != nullptr ? prev_->next_ : scope_->children_) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  scope_ = nullptr;
}

}  // namespace zokio::task
