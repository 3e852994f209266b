// SPDX-License-Identifier: Apache-2.0
#pragma once

// An unbounded queue of tasks under a lock, for what comes in from outside the workers and for what
// a worker cannot keep in its own queue.
//
// It holds pointers in bags of 60, not a list through the tasks: a worker takes a bag without
// touching one header of it, and can fetch them ahead; a list would cost a cache miss for each link
// while the lock is held.
// Thread: any.

#include <cstdint>
#include <span>

#include "zokio/base/cache_line.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/header.h"

namespace zokio::sched {

struct Bag {
#ifdef ZOKIO_MODEL
  static constexpr uint32_t kTasks = 2;  // so that one fits into the model's run queues
#else
  static constexpr uint32_t kTasks = 60;
#endif

  Bag* next = nullptr;
  uint32_t first = 0;  // tasks[first, count) are in it
  uint32_t count = 0;
  task::Header* tasks[kTasks];

  bool empty() const noexcept { return first == count; }
};

Bag* new_bag() noexcept;
void free_bag(Bag* bag) noexcept;

class alignas(kCacheLine) BagQueue : Pinned {
 public:
  ~BagQueue();

  void push(task::Header* task) noexcept;
  // The same; what the caller loads afterwards is loaded after the task is in it, as after a
  // full_fence().
  void push_and_fence(task::Header* task) noexcept;
  void push_many(std::span<task::Header* const> tasks) noexcept;
  // Before everything else, in this order.
  void push_front(std::span<task::Header* const> tasks) noexcept;

  // The oldest task; null when empty.
  task::Header* take_one() noexcept;
  // The oldest bag, never empty; null when there is none. The caller frees it.
  Bag* take_bag() noexcept;

  // Ordering: relaxed; see idle.h for what stands between a change and a look before sleeping.
  uint64_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  bool empty() const noexcept { return size() == 0; }
  // How many push_and_fence() brought in. Ordering: relaxed.
  uint64_t pushed() const noexcept { return pushed_.load(std::memory_order_relaxed); }

 private:
  void append(task::Header* task) noexcept;  // Requires: lock_
  Bag* unlink_first() noexcept;              // Requires: lock_, not empty

  // Guarded by lock_.
  SpinLock lock_;
  Bag* head_ = nullptr;
  Bag* tail_ = nullptr;
  // Written under lock_, read by any.
  Atomic<uint64_t> size_{0};
  Atomic<uint64_t> pushed_{0};
};

}  // namespace zokio::sched
