// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where tasks come in from outside the workers. Sharded, so that threads that submit at the same
// time do not wait for one lock; a thread keeps to one shard, so its tasks start in order.
//
// A worker with a queue of its own takes one task from here at each maintenance pass (worker.cpp):
// that bounds how long a task from outside waits behind the work that tasks make for themselves.
// Thread: any.

#include <array>
#include <atomic>

#include "sched/bag_queue.h"
#include "sched/thread_shard.h"

namespace zokio::sched {

class Injector : Pinned {
 public:
  static constexpr unsigned kShards = kThreadShards;

  // What the caller loads afterwards is loaded after the task is in it.
  void push_and_fence(task::Header* task) noexcept { shards_[thread_shard()].push_and_fence(task); }
  // Before everything else of one shard: what a retiring worker leaves.
  void push_front(std::span<task::Header* const> tasks) noexcept {
    shards_[thread_shard()].push_front(tasks);
  }

  // From the first shard that has something, beginning with `hint`.
  task::Header* take_one(unsigned hint) noexcept {
    for (unsigned i = 0; i < kShards; ++i)
      if (task::Header* task = shards_[(hint + i) % kShards].take_one()) return task;
    return nullptr;
  }
  Bag* take_bag(unsigned hint) noexcept {
    for (unsigned i = 0; i < kShards; ++i)
      if (Bag* bag = shards_[(hint + i) % kShards].take_bag()) return bag;
    return nullptr;
  }

  uint64_t size() const noexcept {
    uint64_t size = 0;
    for (const BagQueue& shard : shards_) size += shard.size();
    return size;
  }
  // How many came in, by the shard of this thread or by all. A moment's figure.
  uint64_t pushed_here() const noexcept { return shards_[thread_shard()].pushed(); }
  uint64_t pushed() const noexcept {
    uint64_t pushed = 0;
    for (const BagQueue& shard : shards_) pushed += shard.pushed();
    return pushed;
  }
  bool empty() const noexcept {
    for (const BagQueue& shard : shards_)
      if (!shard.empty()) return false;
    return true;
  }

 private:
  std::array<BagQueue, kShards> shards_;
};

}  // namespace zokio::sched
