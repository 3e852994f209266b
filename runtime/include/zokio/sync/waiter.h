// SPDX-License-Identifier: Apache-2.0
#pragma once

// The wait list that the primitives of this module share: FIFO, intrusive, cancellable.
//
// A waiter is linked under the primitive's lock; whoever unlinks it (a wake-up or a cancel) ends
// its suspension. The nodes live in the awaiters, so waiting allocates nothing.

#include <atomic>
#include <mutex>

#include "zokio/base/result.h"
#include "zokio/task/header.h"

namespace zokio::sync::internal {

class WaitList;

// One task that waits. Base of the awaiters.
class Waiter : public task::CancelCallback {
 public:
  Waiter() noexcept : CancelCallback(&on_cancel) {}

 protected:
  // Suspends the current task in `list` unless ready() (called under its lock) says that there is
  // no need, or the task is cancelled. Returns whether it suspended.
  template <class Ready>
  bool wait_in(WaitList& list, std::coroutine_handle<> h, Ready ready) noexcept;

  // After the wait: false when a cancel ended it. Idempotent.
  bool woken() noexcept {
    unlink();
    return woken_;
  }

 private:
  friend class WaitList;
  static void on_cancel(CancelCallback* base) noexcept;

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
  void lock() noexcept;
  void unlock() noexcept { lock_.store(false, std::memory_order_release); }

  bool empty() const noexcept { return head_ == nullptr; }
  // Unlinks the oldest waiter and returns its task, to be woken after unlock(); null when empty.
  task::Header* take_first() noexcept;
  // Unlinks all, oldest first: their tasks as a list through Header::next, for wake_all().
  task::Header* take_all() noexcept;

 private:
  friend class Waiter;
  void push_back(Waiter* waiter) noexcept;
  void remove(Waiter* waiter) noexcept;

  std::atomic<bool> lock_{false};
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
};

// Wakes a list from take_all(). Requires: no lock held.
void wake_all(task::Header* first) noexcept;

template <class Ready>
bool Waiter::wait_in(WaitList& list, std::coroutine_handle<> h, Ready ready) noexcept {
  list_ = &list;
  task_ = task::suspend_current(h);
  return link_and(task_->scope, [&]() noexcept {
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
