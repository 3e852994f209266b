// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every task that waits or has waited: for shutdown, for dumps, and for their ids. Which tasks are
// not in it: Header::slot.
//
// A task holds one entry of 8 bytes in a table, and the entry's index in its header; taking one and
// giving it back costs a worker no lock. Each worker slot has a shard with a free list of its own;
// an entry that ends on another worker comes back over a stack. Threads outside the workers share
// a few shards with locks.
//
// An entry, a closed list:
//   Header* | generation << 48            live
//   Header* | kPinned | generation << 48  live, and somebody looks at the task: its end waits
//   next free index << 2 | kFree | generation << 48
// A free entry's word is the same in the free list and among those that came back, so the one
// becomes the other without a look at it.
// The generation counts the lives of an entry, so that an id of (generation, index) is not used
// again soon.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "sched/limits.h"
#include "sched/thread_shard.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/header.h"

namespace zokio::sched {

class TaskRegistry : Pinned {
 public:
  TaskRegistry();
  ~TaskRegistry();

  // Takes `task` in and sets its slot. Thread: any; `worker` is the caller's slot or kNoWorker.
  void insert(task::Header* task, uint32_t worker, const char* name) noexcept {
    if (worker < kWorkerSlots && shards_[worker].free != kNone) [[likely]]
      place(task, shards_[worker], name);
    else
      insert_slow(task, worker, name);
  }
  // Waits for who has it pinned. The task may be freed afterwards.
  void remove(task::Header* task, uint32_t worker) noexcept {
    const uint32_t slot = task->slot;
    Chunk* chunk = chunks_[slot / kChunkEntries].load(std::memory_order_relaxed);
    if (chunk->shard != worker) [[unlikely]]
      return remove_elsewhere(chunk, slot);
    Shard& home = shards_[worker];
    release_entry(chunk->entries[slot % kChunkEntries], home.free);
    home.free = slot;
    --home.live;
  }

  // `task` runs soon and may end then: of a million tasks its entry is in no cache.
  void prefetch(const task::Header* task) const noexcept {
    if (task->slot == task::kUnlisted) return;
    const Chunk* chunk = chunks_[task->slot / kChunkEntries].load(std::memory_order_relaxed);
    __builtin_prefetch(&chunk->entries[task->slot % kChunkEntries], 1);
  }

  // 0: unlisted. Thread: any that keeps the header alive.
  uint64_t id_of(const task::Header* task) const noexcept;
  // "" for none. Requires: the task is pinned or the caller's own.
  const char* name_of(const task::Header* task) const noexcept;

  // Calls `look` for every live task, one at a time, pinned meanwhile; tasks that come and go at
  // the same time may be missed. Keep it short: the end of the task waits. False ends the walk.
  void for_each(const std::function<bool(task::Header*)>& look);

  uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

  // Gives the table back when no task is left in a large one. Thread: the worker of that slot,
  // before it sleeps.
  void release_if_empty(uint32_t worker) noexcept;

 private:
#ifdef ZOKIO_MODEL
  static constexpr uint32_t kChunkEntries = 2;
#else
  static constexpr uint32_t kChunkEntries = 1024;
#endif
  static constexpr uint32_t kChunks = 1u << 16;        // 67 million tasks
  static constexpr unsigned kOutside = kThreadShards;  // shards for other threads
  static constexpr uint32_t kNone = UINT32_MAX >> 2;

  static constexpr uint64_t kPinned = 1;
  static constexpr uint64_t kFree = 2;
  static constexpr unsigned kGenerationShift = 48;
  static constexpr uint64_t kAddress = ((uint64_t{1} << kGenerationShift) - 1) & ~uint64_t{3};

  struct Chunk {
    uint32_t shard = 0;
    uint32_t index = 0;
    Chunk* next = nullptr;                     // of the same shard
    std::atomic<const char**> names{nullptr};  // by entry; made for the first task with a name
    std::array<Atomic<uint64_t>, kChunkEntries> entries{};
  };

  struct alignas(kCacheLine) Shard {
    // The owner's; of an outside shard guarded by lock.
    uint32_t free = kNone;
    uint32_t live = 0;  // entries not in `free`, those on the way back included
    uint32_t chunk_count = 0;
    Chunk* chunks = nullptr;
    SpinLock lock;
    // Entries that ended elsewhere, a list like `free`: its first, and above it how many they are.
    // Push by any, taken whole by the owner. The number spares the owner a walk over what may be a
    // million entries in other cores' caches: 12 ms, by measure.
    alignas(kCacheLine) Atomic<uint64_t> returned{kNone};
  };
  static constexpr unsigned kCountShift = 32;

  static unsigned shard_index(uint32_t worker) noexcept;
  Atomic<uint64_t>& entry(uint32_t slot) const noexcept {
    return chunks_[slot / kChunkEntries]
        .load(std::memory_order_acquire)
        ->entries[slot % kChunkEntries];
  }
  void insert_slow(task::Header* task, uint32_t worker, const char* name) noexcept;
  void remove_elsewhere(Chunk* chunk, uint32_t slot) noexcept;

  // Requires: the shard is the caller's, and has a free entry.
  void place(task::Header* task, Shard& shard, const char* name) noexcept {
    const uint32_t slot = shard.free;
    Chunk* chunk = chunks_[slot / kChunkEntries].load(std::memory_order_relaxed);
    Atomic<uint64_t>& word = chunk->entries[slot % kChunkEntries];
    const uint64_t was = word.load(std::memory_order_relaxed);
    shard.free = static_cast<uint32_t>(was) >> 2;
    ++shard.live;
    __atomic_store_n(&task->slot, slot, __ATOMIC_RELAXED);  // id_of() may look
    if (*name != '\0' || chunk->names.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
      set_name(slot, name);
    const uint64_t generation = (was >> kGenerationShift) + 1;
    // Ordering: release; a walker that finds the task finds its header.
    word.store(reinterpret_cast<uintptr_t>(task) | generation << kGenerationShift,
               std::memory_order_release);
  }
  // Live to free, with `next` behind; waits while it is pinned.
  static void release_entry(Atomic<uint64_t>& word, uint32_t next) noexcept {
    uint64_t live = word.load(std::memory_order_relaxed) & ~kPinned;
    const uint64_t free =
        live >> kGenerationShift << kGenerationShift | uint64_t{next} << 2 | kFree;
    // Ordering: acquire; what a walker did to the task happens before its frame goes.
    for (int spins = 0; !word.compare_exchange_weak(live, free, std::memory_order_acquire,
                                                    std::memory_order_relaxed);
         ++spins) {
      live &= ~kPinned;
      spin_pause(spins);
    }
  }
  void refill(unsigned shard) noexcept;
  void set_name(uint32_t slot, const char* name) noexcept;

  std::array<Shard, kWorkerSlots + kOutside> shards_;
  std::atomic<Chunk*>* chunks_;  // kChunks of them, untouched until used
  std::atomic<uint64_t> bytes_{0};

  // Chunks come and go, and walks happen, under it.
  std::mutex mutex_;
  uint32_t next_chunk_ = 0;             // guarded by mutex_: lowest index never used
  std::vector<uint32_t> spare_chunks_;  // guarded by mutex_: indices given back
};

}  // namespace zokio::sched
