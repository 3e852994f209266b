// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/fork_deque.h"

namespace zokio::task {

// Half of what is shared, the newer one, becomes private. False when nothing is shared.
// Requires: nothing is private.
bool ForkDeque::take_back() noexcept {
  uint64_t word = shared_.load(std::memory_order_relaxed);
  uint32_t left;
  do {
    const uint32_t tail = tail_of(word);
    const uint32_t shared = split_of(word) - tail;
    if (shared == 0) return false;
    left = shared / 2;
    // Ordering: acq_rel keeps the owner's writes to these slots behind it.
  } while (!shared_.compare_exchange_weak(word, pack(tail_of(word) + left, tail_of(word)),
                                          std::memory_order_acq_rel, std::memory_order_relaxed));
  split_ = top_ - (split_of(word) - tail_of(word) - left);
  if (left == 0) ask();  // nothing is shared: the next fork sees to that, if it is of use
  return true;
}

Promise* ForkDeque::steal() noexcept {
  if (!has_shared()) {
    ask();
    return nullptr;
  }
  if (stealing_.exchange(true, std::memory_order_acquire)) return nullptr;
  Promise* taken = nullptr;
  uint64_t word = shared_.load(std::memory_order_relaxed);
  while (tail_of(word) != split_of(word)) {
    const uint32_t tail = tail_of(word);
    // Ordering: acquire, also when the word is the same as an older one: the slot is read after.
    if (!shared_.compare_exchange_weak(word, pack(split_of(word), tail + 1),
                                       std::memory_order_acq_rel, std::memory_order_relaxed))
      continue;
    taken = slot(tail).load(std::memory_order_relaxed);
    // Ordering: release; the owner may use the slot again.
    done_.store(done_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    if (tail + 1 == split_of(word)) ask();
    break;
  }
  stealing_.store(false, std::memory_order_release);
  return taken;
}

}  // namespace zokio::task
