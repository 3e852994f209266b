// SPDX-License-Identifier: Apache-2.0
#include "sched/local_queue.h"

#include "sched/bag_queue.h"

namespace zokio::sched {

bool LocalQueue::push_full(task::Header* task, BagQueue& overflow) noexcept {
  while (true) {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    const uint64_t head = head_.load(std::memory_order_acquire);
    if (tail - steal_of(head) < kLocalQueueSlots) {
      slot(tail).store(task, std::memory_order_relaxed);
      tail_.store(tail + 1, std::memory_order_release);
      return false;
    }
    if (steal_of(head) != real_of(head)) {
      // A thief is emptying it right now: room will be there, but not for this one.
      overflow.push(task);
      return true;
    }
    if (spill(task, real_of(head), overflow)) return true;
  }
}

// Moves the older half with `task` behind. False when a thief came in between.
bool LocalQueue::spill(task::Header* task, uint32_t real, BagQueue& overflow) noexcept {
  constexpr uint32_t kHalf = kLocalQueueSlots / 2;
  uint64_t head = pack(real, real);
  if (!head_.compare_exchange_strong(head, pack(real + kHalf, real + kHalf),
                                     std::memory_order_acq_rel, std::memory_order_relaxed))
    return false;
  std::array<task::Header*, kHalf + 1> moved;
  for (uint32_t i = 0; i < kHalf; ++i) moved[i] = slot(real + i).load(std::memory_order_relaxed);
  moved[kHalf] = task;
  overflow.push_many(moved);
  return true;
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
