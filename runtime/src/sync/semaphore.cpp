// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/semaphore.h"

namespace zokio::sync {

Task<Result<Semaphore::Permit>> Semaphore::acquire_later(int64_t count) {
  co_await internal::Turn();
  co_return co_await acquire(count);
}

bool Semaphore::enqueue(Acquire* waiter) noexcept {
  const uintptr_t word = word_.lock();
  internal::Waiter* first = Word::waiters(word);
  waiter->missing_ = waiter->count_;
  if (first == nullptr) {
    const int64_t free = Word::value(word);
    if (free >= waiter->count_) {
      waiter->set_taken();
      word_.unlock(word - Word::of(waiter->count_));
      return false;
    }
    waiter->missing_ -= free;  // a debt adds to it
  }
  internal::push_back(first, waiter);
  word_.unlock(Word::of(first, 0));
  return true;
}

void Semaphore::give_slowly(int64_t count) noexcept {
  const uintptr_t word = word_.lock();
  if (internal::Waiter* first = Word::waiters(word)) return give_locked(first, count, nullptr);
  word_.unlock(word + Word::of(count));
}

void Semaphore::give_locked(internal::Waiter* first, int64_t count, task::Header* also) noexcept {
  internal::WakeList woken;
  if (also != nullptr) woken.add(also);
  while (first != nullptr) {
    auto* oldest = static_cast<Acquire*>(first);
    oldest->missing_ -= count;
    count = 0;
    if (oldest->missing_ > 0) break;
    count = -oldest->missing_;  // what it did not need
    woken.add(internal::take_first(first)->self);
  }
  word_.unlock(Word::of(first, Word::of(count)));
  internal::wake_all(woken.finish());
}

void Semaphore::cancel(Acquire* waiter) noexcept {
  const uintptr_t word = word_.lock();
  if (!waiter->linked()) {
    word_.unlock(word);
    return;
  }
  internal::Waiter* first = Word::waiters(word);
  internal::remove(first, waiter);
  // Only the first has been given anything, or carries a debt.
  give_locked(first, waiter->count_ - waiter->missing_, waiter->self);
}

}  // namespace zokio::sync
