// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every task that has not ended, so that a shutdown can cancel them and a count can be given.
// Sharded by task id. Thread: any.

#include <array>
#include <cstdint>

#include "base/cache_line.h"
#include "base/spin_lock.h"
#include "zokio/task/header.h"

namespace zokio::sched {

class LiveSet : Pinned {
 public:
  // Gives the task its id and takes it in. False when close() came first: the caller cancels it.
  bool insert(task::Header* task) noexcept;
  // True when it was the last one of a closed set.
  bool remove(task::Header* task) noexcept;

  // From now on insert() says false. Then cancels every task that is in.
  void close_and_cancel() noexcept;

  uint64_t ever() const noexcept { return next_id_.load(std::memory_order_relaxed) - 1; }
  uint64_t alive() const noexcept { return alive_.load(std::memory_order_acquire); }

 private:
  static constexpr unsigned kShards = 16;
  struct alignas(kCacheLine) Shard {
    SpinLock lock;
    task::Header* head = nullptr;
  };
  Shard& shard_of(const task::Header* task) noexcept { return shards_[task->id % kShards]; }

  std::array<Shard, kShards> shards_;
  Atomic<uint64_t> next_id_{1};
  Atomic<uint64_t> alive_{0};
  Atomic<bool> closed_{false};
};

}  // namespace zokio::sched
