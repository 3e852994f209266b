// SPDX-License-Identifier: Apache-2.0
#pragma once

// The wait list that the primitives of this module share: FIFO, intrusive, cancellable.
//
// A waiter is linked under the primitive's lock; whoever unlinks it (a wake-up or a cancel) ends
// its suspension. The nodes live in the awaiters, so waiting allocates nothing.

#include <mutex>

#include "zokio/base/result.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/wait.h"

namespace zokio::sync::internal {

class WaitList;

// One task that waits. Base of the awaiters.
class Waiter : public task::Wait {
 public:
  explicit Waiter(const task::WaitOps* ops = &kOps) noexcept : Wait(ops) {}

 protected:
  // For the WaitOps of the primitives.
  static void interrupt(Wait* base) noexcept;

  // Suspends the current task in `list` unless ready() (called under its lock) says that there is
  // no need, or the task is cancelled. Returns whether it suspended.
  template <class Ready>
  bool wait_in(WaitList& list, std::coroutine_handle<> h, Ready ready) noexcept;

  // After the wait: false when a cancel ended it. Idempotent.
  bool woken() noexcept {
    if (task_ != nullptr) task::end_wait(task_);
    return woken_;
  }

 private:
  friend class WaitList;
  static const task::WaitOps kOps;

  WaitList* list_ = nullptr;
  task::Header* task_ = nullptr;
  // Guarded by the list's lock.
  Waiter* next_ = nullptr;
  Waiter* prev_ = nullptr;
  bool linked_ = false;
  bool woken_ = false;
};

// Thread: any; every member but lock/unlock wants the lock held.
class WaitList : Pinned {
 public:
  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }

  bool empty() const noexcept { return head_ == nullptr; }
  // Unlinks the oldest waiter and returns its task, to be woken after unlock(); null when empty.
  task::Header* take_first() noexcept;
  // Unlinks all, oldest first: their tasks as a list through Header::next, for wake_all().
  task::Header* take_all() noexcept;

 private:
  friend class Waiter;
  void push_back(Waiter* waiter) noexcept;
  void remove(Waiter* waiter) noexcept;

  SpinLock lock_;
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
};

// Wakes a list from take_all(). Requires: no lock held.
void wake_all(task::Header* first) noexcept;

template <class Ready>
bool Waiter::wait_in(WaitList& list, std::coroutine_handle<> h, Ready ready) noexcept {
  list_ = &list;
  task_ = task::suspend_current(h);
  return task::begin_wait(task_, this, [&]() noexcept {
    std::scoped_lock guard(list);
    if (ready()) {
      woken_ = true;
      return false;
    }
    list.push_back(this);
    return true;
  });
}

}  // namespace zokio::sync::internal
