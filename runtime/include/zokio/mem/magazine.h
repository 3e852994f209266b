// SPDX-License-Identifier: Apache-2.0
#pragma once

// The part of a thread's memory cache that is used inline: the magazines of coroutine frames and of
// the heap. For mem itself, frame.h and allocate.h; the rest is in src/mem/thread_cache.h.

#include <array>
#include <cstddef>
#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/sanitizer.h"
#include "zokio/base/cache_line.h"
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
struct alignas(kCacheLine) Magazine {
  Batch blocks;
  unsigned capacity = 0;  // of each lot; 0 while the pool shrinks
  unsigned allowed = 0;   // what capacity may grow to
  stats::Counter hits;
  stats::Counter frees;
  Batch spare;
};

struct InlineCache {
  uint64_t seen_epoch = 0;
  std::array<Magazine, kClasses> frames{};
  std::array<Magazine, kClasses> heap{};
};

#if defined(__x86_64__) && !defined(ZOKIO_MODEL) && !defined(ZOKIO_ASAN)
#define ZOKIO_INLINE_CACHE 1
#endif

#ifdef ZOKIO_INLINE_CACHE

// Null: this thread has no cache. The address is computed by volatile assembler, for the reason in
// task/context.h.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local InlineCache*
    thread_inline_cache asm("zokio_thread_inline_cache");
inline InlineCache* inline_cache() noexcept {
#ifdef ZOKIO_MALLOC  // no coroutines there
  return thread_inline_cache;
#else
  InlineCache** address;
  asm volatile(
      "movq zokio_thread_inline_cache@gottpoff(%%rip), %0\n\t"
      "addq %%fs:0, %0"
      : "=r"(address)
      :
      : "cc");
  return *address;
#endif
}

#endif

// Grows when caches should look at their pools again: a limit changed, a pool began or ended to
// shrink, or memory is wanted back.
// Ordering: seq_cst, for park_thread_cache: either it sees the new epoch, or the thread that began
// it sees the parked cache.
extern constinit Atomic<uint64_t> cache_epoch_word;
inline uint64_t cache_epoch() noexcept {
  return cache_epoch_word.load();
}

#ifdef ZOKIO_INLINE_CACHE

// The usual case of an allocation and of a free; null and false: there is more to do.
inline FreeBlock* pop_block(Magazine& magazine) noexcept {
  FreeBlock* block = magazine.blocks.head;
  if (block == nullptr) [[unlikely]]
    return nullptr;
  magazine.blocks.head = block->next;
  --magazine.blocks.count;
  magazine.hits.add();
  return block;
}
inline bool push_block(InlineCache& cache, Magazine& magazine, void* p) noexcept {
  if (magazine.blocks.count >= magazine.capacity || cache.seen_epoch != cache_epoch()) [[unlikely]]
    return false;
  auto* block = static_cast<FreeBlock*>(p);
  block->next = magazine.blocks.head;
  magazine.blocks.head = block;
  ++magazine.blocks.count;
  magazine.frees.add();
  return true;
}

#endif

}  // namespace zokio::mem
