// SPDX-License-Identifier: Apache-2.0
#include "sched/local_queue.h"

#include "sched/inject_queue.h"
#include "zokio/base/assert.h"

namespace zokio::sched {

bool LocalQueue::push(task::Header* task, InjectQueue& inject) noexcept {
  const uint32_t tail = tail_.load(std::memory_order_relaxed);
  while (true) {
    // Ordering: acquire; a slot is written again only after its thief was seen to be through.
    const uint64_t head = head_.load(std::memory_order_acquire);
    if (tail - steal_of(head) < kLocalQueueSlots) {
      slot(tail).store(task, std::memory_order_relaxed);
      tail_.store(tail + 1, std::memory_order_release);
      return false;
    }
    if (steal_of(head) != real_of(head)) {
      // A thief is emptying it right now: room will be there, but not for this one.
      inject.push(task);
      return true;
    }
    if (spill(task, real_of(head), inject)) return true;
  }
}

// Moves the older half to the injector with `task` behind. False when a thief came in between.
bool LocalQueue::spill(task::Header* task, uint32_t real, InjectQueue& inject) noexcept {
  constexpr uint32_t kHalf = kLocalQueueSlots / 2;
  uint64_t head = pack(real, real);
  if (!head_.compare_exchange_strong(head, pack(real + kHalf, real + kHalf),
                                     std::memory_order_acq_rel, std::memory_order_relaxed))
    return false;
  task::Header* first = slot(real).load(std::memory_order_relaxed);
  task::Header* last = first;
  for (uint32_t i = 1; i < kHalf; ++i) {
    last->next = slot(real + i).load(std::memory_order_relaxed);
    last = last->next;
  }
  last->next = task;
  inject.push_list(first, task, kHalf + 1);
  return true;
}

task::Header* LocalQueue::pop() noexcept {
  uint64_t head = head_.load(std::memory_order_acquire);
  const uint32_t tail = tail_.load(std::memory_order_relaxed);
  while (true) {
    const uint32_t real = real_of(head);
    if (real == tail) return nullptr;
    const uint32_t steal = steal_of(head);
    const uint64_t next = steal == real ? pack(real + 1, real + 1) : pack(steal, real + 1);
    if (head_.compare_exchange_weak(head, next, std::memory_order_acq_rel,
                                    std::memory_order_acquire))
      return slot(real).load(std::memory_order_relaxed);
  }
}

LocalQueue::Stolen LocalQueue::steal_into(LocalQueue& into) noexcept {
  const uint32_t into_tail = into.tail_.load(std::memory_order_relaxed);
  const uint32_t into_steal = steal_of(into.head_.load(std::memory_order_acquire));
  if (into_tail - into_steal > kLocalQueueSlots / 2) return {nullptr, 0, Steal::Contended};

  // 1. Claim [real, real + count) by moving real and leaving steal behind.
  uint64_t head = head_.load(std::memory_order_acquire);
  uint64_t claimed;
  uint32_t first;
  uint32_t count;
  do {
    first = real_of(head);
    if (steal_of(head) != first) return {nullptr, 0, Steal::Contended};
    const uint32_t available = tail_.load(std::memory_order_acquire) - first;
    if (available > kLocalQueueSlots) return {nullptr, 0, Steal::Contended};  // head is outdated
    count = available - available / 2;
    if (count == 0) return {nullptr, 0, Steal::Empty};
    claimed = pack(first, first + count);
  } while (!head_.compare_exchange_weak(head, claimed, std::memory_order_acq_rel,
                                        std::memory_order_acquire));

  // 2. Copy. The owner does not write these slots while steal stays behind.
  for (uint32_t i = 0; i < count; ++i)
    into.slot(into_tail + i)
        .store(slot(first + i).load(std::memory_order_relaxed), std::memory_order_relaxed);

  // 3. Release the slots: steal catches up with real, wherever pops have moved it meanwhile.
  head = claimed;
  while (!head_.compare_exchange_weak(head, pack(real_of(head), real_of(head)),
                                      std::memory_order_acq_rel, std::memory_order_acquire)) {
  }

  // The last one is run at once, the others become visible in `into`.
  task::Header* run_now = into.slot(into_tail + count - 1).load(std::memory_order_relaxed);
  if (count > 1) into.tail_.store(into_tail + count - 1, std::memory_order_release);
  return {run_now, count, Steal::Hit};
}

}  // namespace zokio::sched
