// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/mutex.h"

namespace zokio::sync {

Task<Result<Mutex::Guard>> Mutex::lock_later() {
  co_await internal::Turn();
  co_return co_await lock();
}

bool Mutex::enqueue(internal::Waiter* waiter) noexcept {
  const uintptr_t word = word_.lock();
  if (word == kFree) {
    waiter->set_taken();
    word_.unlock(kLocked);
    return false;
  }
  internal::Waiter* first = Word::waiters(word);
  internal::push_back(first, waiter);
  word_.unlock(Word::of(first, kLocked));
  return true;
}

void Mutex::hand_over() noexcept {
  internal::Waiter* first = Word::waiters(word_.lock());
  if (first == nullptr) {  // the word was only busy
    word_.unlock(kFree);
    return;
  }
  task::Header* next = internal::take_first(first)->self;
  word_.unlock(Word::of(first, kLocked));
  task::wake(next);
}

}  // namespace zokio::sync
