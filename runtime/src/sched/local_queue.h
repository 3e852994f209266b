// SPDX-License-Identifier: Apache-2.0
#pragma once

// A worker's run queue: a fixed ring that one worker fills and any worker may steal from.
//
// Tasks leave oldest first. Stealing takes half, so that one steal pays for the search. A full ring
// spills half of itself to the worker's overflow queue rather than growing.
//
//      head.real         tail
//         v                v
//   [ . . t t t t t t t t  . . ]     head_ packs (steal, real); they differ only while a thief
//       ^                            copies what lies between them.
//   head.steal
//
// Invariant: steal <= real <= tail <= steal + kLocalQueueSlots (modulo 2^32).
// Source: the queue of Tokio's multi-thread scheduler.

#include <array>

#include "sched/limits.h"
#include "zokio/base/atomic.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/pinned.h"
#include "zokio/task/header.h"

namespace zokio::sched {

class BagQueue;

class LocalQueue : Pinned {
 public:
  // Adds one task; spills to `overflow` when full. True when it spilled. Thread: owner.
  bool push(task::Header* task, BagQueue& overflow) noexcept {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    // Ordering: acquire; a slot is written again only after its thief was seen to be through.
    const uint64_t head = head_.load(std::memory_order_acquire);
    if (tail - steal_of(head) >= kLocalQueueSlots) [[unlikely]]
      return push_full(task, overflow);
    slot(tail).store(task, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);
    return false;
  }

  // The oldest task, or null. Thread: owner.
  task::Header* pop() noexcept {
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

  enum class Steal : uint8_t { Hit, Empty, Contended };
  struct Stolen {
    task::Header* first = nullptr;  // to be run now
    uint32_t count = 0;             // all that moved, `first` included
    Steal outcome = Steal::Empty;
  };
  // Moves half of this queue (rounded up) into `into`, except one, which is returned.
  // Thread: the owner of `into`, which is not this.
  Stolen steal_into(LocalQueue& into) noexcept;

  // A moment's figure. Thread: any.
  uint32_t size() const noexcept {
    const uint64_t head = head_.load(std::memory_order_acquire);
    const uint32_t size = tail_.load(std::memory_order_acquire) - real_of(head);
    return size <= kLocalQueueSlots ? size : 0;  // the two loads are not one
  }
  bool empty() const noexcept { return size() == 0; }

 private:
  static constexpr uint64_t pack(uint32_t steal, uint32_t real) noexcept {
    return (uint64_t{steal} << 32) | real;
  }
  static constexpr uint32_t steal_of(uint64_t head) noexcept {
    return static_cast<uint32_t>(head >> 32);
  }
  static constexpr uint32_t real_of(uint64_t head) noexcept { return static_cast<uint32_t>(head); }
  Atomic<task::Header*>& slot(uint32_t index) noexcept {
    return slots_[index & (kLocalQueueSlots - 1)];
  }
  bool push_full(task::Header* task, BagQueue& overflow) noexcept;
  bool spill(task::Header* task, uint32_t real, BagQueue& overflow) noexcept;

  // Any thread, atomic.
  alignas(kCacheLine) Atomic<uint64_t> head_{0};
  // Written by the owner, read by thieves.
  // Ordering: release in push and steal_into (on `into`); pairs with the acquire in steal_into.
  alignas(kCacheLine) Atomic<uint32_t> tail_{0};
  // [real, tail) belongs to the owner, [steal, real) to the thief that moved `real`.
  std::array<Atomic<task::Header*>, kLocalQueueSlots> slots_{};
};

}  // namespace zokio::sched
