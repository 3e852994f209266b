// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/waiter.h"

#include <mutex>

namespace zokio::sync::internal {

void push_back(Waiter*& first, Waiter* waiter) noexcept {
  if (first == nullptr) {
    waiter->next = waiter;
    waiter->prev = waiter;
    first = waiter;
    return;
  }
  Waiter* last = first->prev;
  waiter->prev = last;
  waiter->next = first;
  last->next = waiter;
  first->prev = waiter;
}

void remove(Waiter*& first, Waiter* waiter) noexcept {
  if (waiter->next == waiter) {
    first = nullptr;
  } else {
    if (first == waiter) first = waiter->next;
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
  }
  waiter->next = nullptr;
}

Waiter* take_first(Waiter*& first) noexcept {
  Waiter* oldest = first;
  remove(first, oldest);
  oldest->set_taken();
  return oldest;
}

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
