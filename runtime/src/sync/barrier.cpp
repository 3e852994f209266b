// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/barrier.h"

namespace zokio::sync {

bool Barrier::arrive(Wait* waiter) noexcept {
  internal::Waiter* first = Word::waiters(word_.lock());
  if (arrived_ + 1 < count_) {
    ++arrived_;
    internal::push_back(first, waiter);
    word_.unlock(Word::of(first, 0));
    return true;
  }
  arrived_ = 0;
  waiter->leader_ = true;
  waiter->set_taken();
  task::Header* others = internal::take_all(first);
  word_.unlock(0);
  internal::wake_all(others);
  return false;
}

void Barrier::Wait::interrupt(task::Wait* base) noexcept {
  auto* self = static_cast<Wait*>(base);
  Barrier& barrier = self->barrier_;
  const uintptr_t word = barrier.word_.lock();
  if (!self->linked()) {
    barrier.word_.unlock(word);
    return;
  }
  internal::Waiter* first = Word::waiters(word);
  internal::remove(first, self);
  --barrier.arrived_;
  barrier.word_.unlock(Word::of(first, 0));
  task::wake(self->self);
}

}  // namespace zokio::sync
