// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/event.h"

namespace zokio::sync {

void Event::set_slowly() noexcept {
  internal::Waiter* first = Word::waiters(word_.lock());
  task::Header* waiting = internal::take_all(first);
  word_.unlock(kSet);
  internal::wake_all(waiting);
}

bool Event::enqueue(internal::Waiter* waiter) noexcept {
  const uintptr_t word = word_.lock();
  if (word == kSet) {
    waiter->set_taken();
    word_.unlock(word);
    return false;
  }
  internal::Waiter* first = Word::waiters(word);
  internal::push_back(first, waiter);
  word_.unlock(Word::of(first, kUnset));
  return true;
}

}  // namespace zokio::sync
