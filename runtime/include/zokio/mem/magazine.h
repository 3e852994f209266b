// SPDX-License-Identifier: Apache-2.0
#pragma once

// The part of a thread's memory cache that is used inline: the magazines of coroutine frames.
// For mem itself and for frame.h; the rest is in src/mem/thread_cache.h.

#include <array>
#include <cstddef>
#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/mem/size_class.h"
#include "zokio/stats/counter.h"

namespace zokio::mem {

// What lies in a free block, wherever it is kept.
struct FreeBlock {
  FreeBlock* next;
};

// Free blocks of one class, linked by `next`. The members touch the links of blocks, which are
// poisoned in an AddressSanitizer build: src/mem/span.h has them.
struct Batch {
  FreeBlock* head = nullptr;
  unsigned count = 0;

  inline void push(FreeBlock* block) noexcept;
  inline FreeBlock* pop() noexcept;
};

// A thread keeps two lots of a class, so that one that allocates and frees around the border of a
// lot does not go to the central lists each time; lots come and go whole.
// Source: magazines, Bonwick and Adams, "Magazines and Vmem" (2001).
struct Magazine {
  Batch blocks;
  unsigned capacity = 0;  // of each lot; 0 while the pool shrinks
  Batch spare;
  stats::Counter hits;
  stats::Counter frees;
};

struct FrameCache {
  uint64_t seen_epoch = 0;
  std::array<Magazine, kClasses> frames{};
};

// Grows when caches should look at their pools again: a limit changed, a pool began or ended to
// shrink, or memory is wanted back.
// Ordering: seq_cst, for park_thread_cache: either it sees the new epoch, or the thread that began
// it sees the parked cache.
extern constinit Atomic<uint64_t> cache_epoch_word;
inline uint64_t cache_epoch() noexcept {
  return cache_epoch_word.load();
}

}  // namespace zokio::mem
