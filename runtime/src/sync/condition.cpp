// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/condition.h"

namespace zokio::sync {

bool Condition::enqueue(Wait* waiter) noexcept {
  Mutex* const mutex = waiter->mutex_;
  internal::Waiter* first = Word::waiters(word_.lock());
  waiter->here_ = true;
  internal::push_back(first, waiter);
  word_.unlock(Word::of(first, 0));
  // From here on the waiter may be notified, but cannot go on before this.
  mutex->unlock();
  return true;
}

void Condition::move_to_mutex(Wait* waiter) noexcept {
  task::Header* const task = waiter->self;
  if (!waiter->mutex_->enqueue(waiter)) task::wake(task);
}

void Condition::notify_one() noexcept {
  const uintptr_t word = word_.lock();
  internal::Waiter* first = Word::waiters(word);
  if (first == nullptr) {
    word_.unlock(word);
    return;
  }
  auto* oldest = static_cast<Wait*>(internal::take_first(first));
  oldest->here_ = false;
  oldest->notified_ = true;
  word_.unlock(Word::of(first, 0));
  move_to_mutex(oldest);
}

void Condition::notify_all() noexcept {
  const uintptr_t word = word_.lock();
  internal::Waiter* first = Word::waiters(word);
  // Out of the FIFO, oldest first, linked through prev.
  internal::Waiter* all = nullptr;
  internal::Waiter** link = &all;
  while (first != nullptr) {
    auto* oldest = static_cast<Wait*>(internal::take_first(first));
    oldest->here_ = false;
    oldest->notified_ = true;
    oldest->prev = nullptr;
    *link = oldest;
    link = &oldest->prev;
  }
  word_.unlock(0);
  while (all != nullptr) {
    auto* waiter = static_cast<Wait*>(all);
    all = waiter->prev;  // read first: the node belongs to the mutex then
    move_to_mutex(waiter);
  }
}

// A cancelled waiter also waits for its mutex; that wait is not cancelled.
void Condition::Wait::interrupt(task::Wait* base) noexcept {
  auto* self = static_cast<Wait*>(base);
  Word& lock = self->condition_.word_;
  const uintptr_t word = lock.lock();
  if (!self->here_) {
    lock.unlock(word);
    return;
  }
  internal::Waiter* first = Word::waiters(word);
  internal::remove(first, self);
  self->here_ = false;
  lock.unlock(Word::of(first, 0));
  move_to_mutex(self);
}

}  // namespace zokio::sync
