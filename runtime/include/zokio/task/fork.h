// SPDX-License-Identifier: Apache-2.0
#pragma once

// Branches of a fork: coroutines that run in place, one after the other, in the task that forked,
// and become tasks of their own only when another worker takes them, or the task has to wait.
//
// A fork pushes its branches, but for the first, on the worker's ForkDeque and goes on with the
// first. The end of a branch goes on with the newest of the deque. What lies there belongs to the
// poll that runs: a poll that ends leaves the deque empty (Worker::settle_forks). So when a branch
// ends, and its own forks have ended before, the newest is its next sibling; or nothing is there,
// and its siblings are tasks. Those that ended in place are counted without atomics (left), tasks
// arrive (arrived) and the last of all goes on with the parent.
//
// Promise::link of a branch (see promise.h):
//   Fork* | kBranch                  not begun, or running in place
//   BranchTask* | kBranch | kStolen  a task
//
// Thread: the task that forks, but for `arrived`; what a thief reads was written before the push.

#include <coroutine>
#include <cstdint>
#include <memory>

#include "zokio/base/assert.h"
#include "zokio/task/cancel.h"
#include "zokio/task/context.h"
#include "zokio/task/fork_deque.h"
#include "zokio/task/promise.h"

namespace zokio::task {

// What a worker knows and a deque does not.
class ForkHost {
 public:
  // Now and then at a fork, and when somebody asks. Sees to the worker's duties. True: the task
  // gives the others a turn first.
  virtual bool look_at_forks() noexcept = 0;
  // Branches are there and somebody asks: shares them, when there is anybody to share with.
  virtual void share_forks() noexcept = 0;
  // The poll is over, or goes on in another task: what is left becomes tasks.
  virtual void settle_forks() noexcept = 0;

 protected:
  ~ForkHost() = default;
};

// One fork, in the frame of the coroutine that awaits it.
struct Fork : Pinned {
  Fork() noexcept {}  // uninitialised on purpose: begin() does it

  // Branches that do not fit in the deque wait in the fork, linked by Header::next.
  static constexpr int32_t kHeldBack = INT32_MIN;
  struct HeldBack {
    std::coroutine_handle<> parent;
    Promise* first;
  };
  // The task waited for branches that were stolen.
  static constexpr int32_t kWaited = -1;
  // A mark in `scope`: made by this fork.
  static constexpr uintptr_t kOwnScope = 1;

  // `branches` (n of them, at least one), as the awaiter of `h`. What to go on with.
  std::coroutine_handle<> begin(std::coroutine_handle<> h, Promise* const* branches,
                                unsigned n) noexcept;
  // After the last branch.
  [[gnu::always_inline]] void end() noexcept {
    if (((scope & kOwnScope) | static_cast<uint32_t>(left)) != 0) [[unlikely]]
      end_unusual();
  }

  CancelScope* innermost() const noexcept {
    return reinterpret_cast<CancelScope*>(scope & ~kOwnScope);
  }
  std::coroutine_handle<> begin_unusual(Promise* const* branches, unsigned n) noexcept;
  // A branch ended in place, and the next one is not at hand.
  std::coroutine_handle<> go_on() noexcept;

  // Unions, so that nothing is initialised twice.
  union {
    std::coroutine_handle<> parent;
    HeldBack* held_back;  // while `left` has kHeldBack
  };
  // Branches that have not ended in place; + kHeldBack while some are held back. Then 0 or kWaited.
  int32_t left;
  union {
    Atomic<int32_t> arrived;  // stolen ones that ended, less those that are waited for
  };
  // The parent's innermost when it forked: stolen branches are cancelled with it. Thieves read it.
  uintptr_t scope;

 private:
  void enter_own_scope() noexcept;
  void hold_back(Promise* const* branches, unsigned n) noexcept;
  Promise* next_held_back(ForkDeque& deque) noexcept;
  std::coroutine_handle<> wait_for_stolen() noexcept;
  void end_unusual() noexcept;
};
static_assert(alignof(Fork) > (kBranch | kStolen) && alignof(CancelScope) > Fork::kOwnScope);

[[gnu::always_inline]] inline std::coroutine_handle<> Fork::begin(std::coroutine_handle<> h,
                                                                  Promise* const* branches,
                                                                  unsigned n) noexcept {
  Context& c = context();
  parent = h;
  left = static_cast<int32_t>(n);
  std::construct_at(&arrived, 0);
  CancelScope* innermost = c.current->scope.load(std::memory_order_relaxed);
  scope = reinterpret_cast<uintptr_t>(innermost);
  // A structured child's inherited task-locals are no scope of its own.
  if (innermost == nullptr || innermost->kind() == CancelScope::Kind::Locals) [[unlikely]]
    enter_own_scope();
  const uintptr_t link = reinterpret_cast<uintptr_t>(this) | kBranch;
  ForkDeque& deque = *c.forks;
  if (deque.count_down() || !deque.calm_room(n - 1)) [[unlikely]]
    return begin_unusual(branches, n);
  for (unsigned i = 1; i < n; ++i) {
    branches[i]->link.store(link, std::memory_order_relaxed);
    deque.put(n - 1 - i, branches[i]);
  }
  deque.pushed(n - 1);
  branches[0]->link.store(link, std::memory_order_relaxed);
  return branches[0]->handle();
}

// The end of a branch that ran in place. What to go on with.
[[gnu::always_inline]] inline std::coroutine_handle<> end_in_place(Fork* fork) noexcept {
  const int32_t left = --fork->left;
  if (left == 0) return fork->parent;
  if (left > 0) [[likely]]
    if (Promise* next = context().forks->pop_calm()) [[likely]]
      return next->handle();
  return fork->go_on();
}

// The end of a branch that became a task.
std::coroutine_handle<> end_stolen(Promise* branch, Ending ending) noexcept;

// Makes a branch that was taken out of a deque a task: adopted, not scheduled.
// Thread: a worker's; the branch is the caller's.
Header* make_branch_task(Promise* branch) noexcept;

}  // namespace zokio::task
