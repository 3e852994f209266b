// SPDX-License-Identifier: Apache-2.0
#include "sched/live_set.h"

#include <mutex>
#include <vector>

namespace zokio::sched {

bool LiveSet::insert(task::Header* task) noexcept {
  task->id = next_id_.fetch_add(1, std::memory_order_relaxed);
  alive_.fetch_add(1, std::memory_order_relaxed);
  Shard& shard = shard_of(task);
  {
    std::scoped_lock guard(shard.lock);
    task->live_prev = nullptr;
    task->live_next = shard.head;
    if (shard.head != nullptr) shard.head->live_prev = task;
    shard.head = task;
  }
  // Ordering: close_and_cancel() sets the flag, then takes each lock: it finds the task, or this
  // load, which comes after the same lock, finds the flag.
  return !closed_.load(std::memory_order_acquire);
}

bool LiveSet::remove(task::Header* task) noexcept {
  Shard& shard = shard_of(task);
  {
    std::scoped_lock guard(shard.lock);
    if (task->live_prev != nullptr)
      task->live_prev->live_next = task->live_next;
    else
      shard.head = task->live_next;
    if (task->live_next != nullptr) task->live_next->live_prev = task->live_prev;
  }
  const bool last = alive_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  return last && closed_.load(std::memory_order_acquire);
}

void LiveSet::close_and_cancel() noexcept {
  closed_.store(true, std::memory_order_seq_cst);
  for (Shard& shard : shards_) {
    // Cancelling runs callbacks, so it happens outside the lock, on tasks that are held.
    std::vector<task::Header*> held;
    {
      std::scoped_lock guard(shard.lock);
      for (task::Header* task = shard.head; task != nullptr; task = task->live_next) {
        task->retain();
        held.push_back(task);
      }
    }
    for (task::Header* task : held) {
      task->cancel.cancel();
      task->release();
    }
  }
}

}  // namespace zokio::sched
