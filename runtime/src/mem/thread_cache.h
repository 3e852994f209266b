// SPDX-License-Identifier: Apache-2.0
#pragma once

// The fast path: one magazine of free blocks per pool and class, used by one thread.
//
// Who may touch a cache is in `state_`: Owned, its thread; Parked, nobody until it is claimed;
// Claimed, the thread that empties it. Counters are written by the owner and read by any.

#include <array>
#include <cstdint>

#include "mem/lot_policy.h"
#include "mem/pool.h"
#include "mem/span.h"
#include "zokio/base/atomic.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/clock.h"
#include "zokio/mem/thread_cache.h"
#include "zokio/stats/counter.h"

namespace zokio::mem {

// Of a thread's refills one in so many is timed.
inline constexpr unsigned kSampleEvery = 64;

class ThreadCache : Pinned, public InlineCache {
 public:
  ThreadCache() noexcept { set_capacities(); }

  // Null when the cache has none and the pool gave none. `asked`: as for Pool::obtain.
  FreeBlock* take(PoolId id, unsigned cls, bool may_exceed, Refusal& why,
                  std::size_t asked = 0) noexcept {
    Magazine& magazine = of(id)[cls];
    if (magazine.head == nullptr) [[unlikely]]
      return refill(id, cls, may_exceed, why, asked);
    return pop(magazine);
  }

  // Fetches the block that take() gives next: for a thread whose blocks others have written last.
  void prefetch(PoolId id, unsigned cls) noexcept {
    const auto* block = reinterpret_cast<const std::byte*>(of(id)[cls].head);
    if (block == nullptr) return;
    prefetch_for_write(block);
    prefetch_for_write(block + kCacheLine);
  }

  void put(PoolId id, unsigned cls, FreeBlock* block) noexcept {
    if (seen_epoch != cache_epoch()) [[unlikely]]
      follow_epoch();
    Magazine& magazine = of(id)[cls];
    if (magazine.full()) [[unlikely]]
      return spill(id, cls, block);
    push(magazine, block);
  }

  // Requires: called by the owner, or by who claimed the cache.
  void drain() noexcept;
  void park() noexcept;
  void unpark() noexcept;
  // park() without its fence: an epoch that begins at this very moment may be missed, and is
  // followed with the next use or the next epoch. Requires: park() was called once.
  void park_until_next_use() noexcept { state_.store(State::Parked, std::memory_order_release); }
  // False when its thread is running.
  bool claim() noexcept;
  void unclaim() noexcept;
  // Ends a step of decay: gives back what stands in magazines that were not used for `steps` of
  // them. False when nothing is left to wait for. Requires: as drain.
  bool age(unsigned steps) noexcept;
  // Gives back all blocks of a magazine. Requires: as drain.
  void empty(unsigned pool_index, unsigned cls) noexcept;

  const Magazine& magazine(unsigned pool_index, unsigned cls) const noexcept {
    return const_cast<ThreadCache*>(this)->of(static_cast<PoolId>(pool_index))[cls];
  }

  // Whether park took it from its thread, for unpark. The owner's.
  bool parked_current = false;

  // Guarded by the registry's lock (thread_cache.cpp).
  ThreadCache* next = nullptr;
  ThreadCache* previous = nullptr;

 private:
  enum class State : uint8_t { Owned, Parked, Claimed };

  std::array<Magazine, kClasses>& of(PoolId id) noexcept {
    return id == PoolId::Frames ? frames : id == PoolId::Heap ? heap : buffers_;
  }
  // Requires: the lot in use is not empty.
  static FreeBlock* pop(Magazine& magazine) noexcept {
    FreeBlock* block = magazine.head;
    magazine.head = next_of(block);
    magazine.took();
    return block;
  }
  static void push(Magazine& magazine, FreeBlock* block) noexcept {
    set_next(block, magazine.head);
    magazine.head = block;
    magazine.brought();
  }
  [[gnu::noinline]] FreeBlock* refill(PoolId id, unsigned cls, bool may_exceed, Refusal& why,
                                      std::size_t asked) noexcept;
  [[gnu::noinline]] void spill(PoolId id, unsigned cls, FreeBlock* block) noexcept;
  // Gives everything back and takes the capacities the limits now allow.
  [[gnu::noinline]] void follow_epoch() noexcept;
  void set_capacities() noexcept;
  void grow(Magazine& magazine, unsigned cls) noexcept;
  void tune(unsigned cls) noexcept;
  void shrink(Magazine& magazine, unsigned cls) noexcept;
  void flush(unsigned pool_index, unsigned cls, Batch lot) noexcept;
  static void sample(PoolId id, Batch& lot, Instant start) noexcept;

  Atomic<State> state_{State::Owned};
  std::array<Magazine, kClasses> buffers_{};
  std::size_t grown_bytes_ = 0;  // what heap magazines have grown by
  LotTuner tuner_;               // of heap magazines
  unsigned refills_to_sample_ = kSampleEvery;
  // Blocks that the central lists gave, less those given back; never below 0, see flush().
  std::array<std::array<int64_t, kClasses>, kPools> received_{};
  struct Age {
    uint32_t uses = 0;   // of the magazine, at the last step, modulo 2^32
    uint32_t steps = 0;  // since it changed
  };
  std::array<std::array<Age, kClasses>, kPools> ages_{};
};

// This thread's; for mem alone, others call current_cache().
extern constinit thread_local ThreadCache* this_thread_cache;

// What users hold of a pool, over all threads. Exact when nobody allocates or frees meanwhile.
struct Usage {
  uint64_t in_use_bytes = 0;
  uint64_t objects = 0;
  uint64_t held_bytes = 0;
  uint64_t hits_thread = 0;
  uint64_t hits_shared = 0;
  uint64_t fresh = 0;
  uint64_t frees = 0;

  uint64_t cached_bytes() const noexcept { return held_bytes - in_use_bytes; }
};
Usage usage(Pool& pool) noexcept;

// The same by class, without large objects.
struct ClassUsage {
  uint64_t hits_thread = 0;
  uint64_t hits_shared = 0;
  uint64_t fresh = 0;
  uint64_t frees = 0;

  uint64_t objects() const noexcept {
    const uint64_t taken = hits_thread + hits_shared + fresh;
    return taken > frees ? taken - frees : 0;
  }
};
using ClassUsages = std::array<ClassUsage, kClasses>;
ClassUsages class_usages(Pool& pool) noexcept;

// Around a fork.
void lock_registry() noexcept;
void unlock_registry() noexcept;

// Gives the blocks of this thread's cache and of parked ones to the central lists, and asks the
// running ones to do so.
void empty_caches() noexcept;

// age() of all parked caches. False when nothing is left to wait for.
bool age_parked_caches(unsigned steps) noexcept;

}  // namespace zokio::mem
