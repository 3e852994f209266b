// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where tasks come in from outside the workers, and where a worker's surplus goes.
// An intrusive list under a lock; its length can be read without.
// Thread: any.


#include "base/spin_lock.h"
#include "zokio/task/header.h"

namespace zokio::sched {

class InjectQueue : Pinned {
 public:
  void push(task::Header* task) noexcept { push_list(task, task, 1); }
  // Appends first..last, linked through `next`.
  void push_list(task::Header* first, task::Header* last, uint32_t count) noexcept;
  // Takes up to `most` tasks: a list through `next`, null when empty.
  task::Header* take(uint32_t most) noexcept;

  // Ordering: a pusher's full fence and a parking worker's read-modify-write of the idle word stand
  // between a change and this look (idle.h).
  uint64_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  bool empty() const noexcept { return size() == 0; }

 private:
  // Guarded by lock_.
  SpinLock lock_;
  task::Header* head_ = nullptr;
  task::Header* tail_ = nullptr;
  // Written under lock_, read by any.
  Atomic<uint64_t> size_{0};
};

}  // namespace zokio::sched
