// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where task-locals live: bindings are entries of the stack of scopes that every task has anyway
// (Header::scope), so the header has no field for them, and a task that binds nothing pays nothing.
//
// A get() walks that stack from the innermost entry outwards; it is as deep as blocks are nested.
// At the bottom of the stack of a structured child lies an entry that leads on into the stack of
// its parent, from the place where the scope was opened: what is bound there outlives the child.
// The entry is one for all children of a scope, and is there only when something is bound.
//
// Thread: a task's own. A child walks its parent's entries without a lock: they do not change while
// it lives, because scopes end innermost first and the parent waits in the one that holds the
// child.

#include <utility>

#include "zokio/task/cancel.h"

namespace zokio::task {

class Binding : public CancelScope {
 public:
  // `value` outlives this.
  Binding(const void* key, const void* value) noexcept
      : CancelScope(Kind::Value), key(key), value(value) {}

  const void* const key;
  const void* const value;
};

// What the children of one scope inherit. Lives in the parent's frame, as long as any child.
class SharedLocals : public CancelScope {
 public:
  // Requires: called from the task that will be the parent.
  SharedLocals() noexcept
      : CancelScope(Kind::Locals, nullptr),
        first(first_binding(current_task()->scope.load(std::memory_order_relaxed))) {}

  // What is bound where `scope` was entered, for a child of its task. Thread: any; the scope lasts.
  explicit SharedLocals(const CancelScope& scope) noexcept
      : CancelScope(Kind::Locals, nullptr), first(first_binding(&scope)) {}

  // The innermost binding at `scope` or outside it; null: none.
  static const Binding* first_binding(const CancelScope* scope) noexcept {
    while (scope != nullptr && scope->kind() != Kind::Value) {
      if (scope->kind() == Kind::Locals) return static_cast<const SharedLocals*>(scope)->first;
      scope = scope->outer();
    }
    return static_cast<const Binding*>(scope);
  }

  const Binding* const first;
};

// Puts them under the stack of the current task, a child that has just started. From construction
// to detach().
class InheritedLocals : Pinned {
 public:
  explicit InheritedLocals(SharedLocals& locals) noexcept
      : task_(locals.first != nullptr ? current_task() : nullptr) {
    // Ordering: release, as every entry (cancel.cpp): a canceller may walk it.
    if (task_ != nullptr) task_->scope.store(&locals, std::memory_order_release);
  }
  ~InheritedLocals() { detach(); }
  void detach() noexcept {
    if (task_ != nullptr) drop_locals(std::exchange(task_, nullptr));
  }

 private:
  Header* task_;
};

// The innermost value bound to `key` for the current task; null: none.
inline const void* find_local(const void* key) noexcept {
  const Header* self = current_task();
  if (self == nullptr) return nullptr;
  const CancelScope* scope = self->scope.load(std::memory_order_relaxed);
  while (const Binding* binding = SharedLocals::first_binding(scope)) {
    if (binding->key == key) return binding->value;
    scope = binding->outer();
  }
  return nullptr;
}

}  // namespace zokio::task
