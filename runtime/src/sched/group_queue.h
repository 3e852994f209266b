// SPDX-License-Identifier: Apache-2.0
#pragma once

// The ready tasks of one group. Sharded by worker, so that workers do not wait for one lock; any
// worker takes from any shard, so nothing is lost or stuck when a worker retires. First in, first
// out within a shard: there is no newest-first in a group, its tasks take turns.
// Thread: any.

#include <array>

#include "sched/bag_queue.h"

namespace zokio::sched {

class GroupQueue : Pinned {
 public:
  static constexpr unsigned kShards = 8;

  // `hint`: the caller's slot, or any number.
  void push(task::Header* task, unsigned hint) noexcept { shards_[hint % kShards].push(task); }
  // From the first shard that has something, beginning with `hint`.
  task::Header* take(unsigned hint) noexcept {
    for (unsigned i = 0; i < kShards; ++i)
      if (task::Header* task = shards_[(hint + i) % kShards].take_one()) return task;
    return nullptr;
  }

  uint64_t size() const noexcept {
    uint64_t size = 0;
    for (const BagQueue& shard : shards_) size += shard.size();
    return size;
  }

 private:
  std::array<BagQueue, kShards> shards_;
};

}  // namespace zokio::sched
