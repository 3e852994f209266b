// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/waiter.h"

namespace zokio::sync::internal {

const task::WaitOps Waiter::kOps{&Waiter::interrupt, "sync"};

void WaitList::push_back(Waiter* waiter) noexcept {
  waiter->linked_ = true;
  waiter->next_ = nullptr;
  waiter->prev_ = tail_;
  if (tail_ != nullptr)
    tail_->next_ = waiter;
  else
    head_ = waiter;
  tail_ = waiter;
}

void WaitList::remove(Waiter* waiter) noexcept {
  if (waiter->prev_ != nullptr)
    waiter->prev_->next_ = waiter->next_;
  else
    head_ = waiter->next_;
  if (waiter->next_ != nullptr)
    waiter->next_->prev_ = waiter->prev_;
  else
    tail_ = waiter->prev_;
  waiter->linked_ = false;
}

task::Header* WaitList::take_first() noexcept {
  Waiter* first = head_;
  if (first == nullptr) return nullptr;
  remove(first);
  first->woken_ = true;
  return first->task_;
}

task::Header* WaitList::take_all() noexcept {
  task::Header* first = nullptr;
  task::Header** link = &first;
  // A suspended task is in no queue, so its link is free.
  while (task::Header* task = take_first()) {
    *link = task;
    link = &task->next;
  }
  *link = nullptr;
  return first;
}

void wake_all(task::Header* first) noexcept {
  while (first != nullptr) {
    task::Header* task = first;
    first = task->next;  // read first: the task may be gone once it is woken
    task::wake(task);
  }
}

void Waiter::interrupt(Wait* base) noexcept {
  auto* self = static_cast<Waiter*>(base);
  task::Header* task = nullptr;
  {
    std::scoped_lock guard(*self->list_);
    if (self->linked_) {
      self->list_->remove(self);
      task = self->task_;
    }
  }
  if (task != nullptr) task::wake(task);
}

}  // namespace zokio::sync::internal
