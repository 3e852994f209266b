// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/waiter.h"

#include <mutex>

namespace zokio::sync::internal {

task::Header* take_all(Waiter*& first) noexcept {
  WakeList list;
  while (first != nullptr) list.add(take_first(first)->self);
  return list.finish();
}

void wake_all(task::Header* first) noexcept {
  if (first == nullptr) return;
  if (first->next == nullptr) return task::wake(first);
  // Behind each other: the newest task of a worker would run before the older ones.
  while (first != nullptr) {
    task::Header* task = first;
    first = task->next;  // read first: the task may be gone once it is woken
    task::executor_of(task)->schedule_last(task);
  }
}

void WaitWord::cancel(Waiter* waiter, uintptr_t empty) noexcept {
  const uintptr_t word = lock();
  if (!waiter->linked()) {
    unlock(word);
    return;
  }
  Waiter* first = waiters(word);
  remove(first, waiter);
  unlock(of(first, empty));
  task::wake(waiter->self);
}

void WaitList::cancel(Waiter* waiter) noexcept {
  {
    std::scoped_lock guard(*this);
    if (!waiter->linked()) return;
    remove(first, waiter);
  }
  task::wake(waiter->self);
}

}  // namespace zokio::sync::internal
