// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/notify.h"

namespace zokio::sync {

bool Notify::enqueue(internal::Waiter* waiter) noexcept {
  const uintptr_t word = word_.lock();
  if (word == kPermit) {
    waiter->set_taken();
    word_.unlock(kNothing);
    return false;
  }
  internal::Waiter* first = Word::waiters(word);
  internal::push_back(first, waiter);
  word_.unlock(Word::of(first, kNothing));
  return true;
}

void Notify::wake_one() noexcept {
  internal::Waiter* first = Word::waiters(word_.lock());
  if (first == nullptr) {  // the word was only busy
    word_.unlock(kPermit);
    return;
  }
  task::Header* oldest = internal::take_first(first)->self;
  word_.unlock(Word::of(first, kNothing));
  task::wake(oldest);
}

void Notify::notify_all() noexcept {
  const uintptr_t word = word_.lock();
  internal::Waiter* first = Word::waiters(word);
  if (first == nullptr) {
    word_.unlock(word);
    return;
  }
  task::Header* waiting = internal::take_all(first);
  word_.unlock(kNothing);
  internal::wake_all(waiting);
}

}  // namespace zokio::sync
