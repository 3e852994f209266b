// SPDX-License-Identifier: Apache-2.0
#pragma once

// The part of a thread's memory cache that is used inline: the magazines of coroutine frames and of
// the heap. For mem itself, frame.h and allocate.h; the rest is in src/mem/thread_cache.h.

#include <array>
#include <cstddef>
#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/sanitizer.h"
#include "zokio/mem/mode.h"
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
//
// The lot in use has no count of its own: what frees brought and hits took is counted anyway, for
// the figures, and the difference of the two says how many blocks there are, since `full_at` is
// moved whenever blocks come or go otherwise. So a hit and a free write one word each beside the
// list. All words 0: an empty magazine that takes nothing.
//
// In the mode UltraFast hits are not counted, and frees only down, in `full_at`: how many the lot
// has room for if no hit comes. When that is used up, the lot is counted by walking along it. The
// two counters are then of whole lots: blocks that came from the central lists and went to them.
struct alignas(kCacheLine) Magazine {
  FreeBlock* head = nullptr;
  stats::Counter hits;
  stats::Counter frees;
  int64_t full_at = 0;  // frees - hits when the lot in use has `capacity` blocks
  Batch spare;
  unsigned capacity = 0;  // of each lot; 0 while the pool shrinks
  unsigned allowed = 0;   // what capacity may grow to

  int64_t balance() const noexcept {
    if constexpr (kMode == Mode::UltraFast) return 0;
    return static_cast<int64_t>(frees.read() - hits.read());
  }
  bool full() const noexcept { return balance() >= full_at; }
  // The blocks of the lot in use. Thread: the owner's.
  unsigned count() const noexcept {
    if constexpr (kMode == Mode::UltraFast) return walk();
    return static_cast<unsigned>(int64_t{capacity} - (full_at - balance()));
  }
  void set_capacity(unsigned blocks) noexcept {
    full_at += int64_t{blocks} - int64_t{capacity};
    capacity = blocks;
  }
  Batch take_lot() noexcept {
    const Batch lot{head, count()};
    put_lot({});
    return lot;
  }
  // Requires: there is none in use.
  void put_lot(Batch lot) noexcept {
    head = lot.head;
    full_at = balance() + int64_t{capacity} - int64_t{lot.count};
  }
  // A block of the lot in use was taken, or put there.
  void took() noexcept {
    if constexpr (kMode != Mode::UltraFast) hits.add();
  }
  void brought() noexcept {
    if constexpr (kMode == Mode::UltraFast)
      --full_at;
    else
      frees.add();
  }
  // UltraFast: makes full() exact.
  void recount() noexcept { full_at = int64_t{capacity} - int64_t{walk()}; }

 private:
  unsigned walk() const noexcept;
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

// What a thread without a cache has, so that nobody asks: empty, and takes nothing. Never written.
extern constinit InlineCache no_inline_cache;

// Never null. Read at the variable's offset from the thread pointer, which is the same in every
// thread: a coroutine that goes on in another thread may keep it. It may not keep the address, so
// that is computed by volatile assembler where there is no way to read by an offset (task/context.h
// has more about it).
[[gnu::tls_model("initial-exec")]] extern constinit thread_local InlineCache*
    thread_inline_cache asm("zokio_thread_inline_cache");
inline InlineCache& inline_cache() noexcept {
#if defined(ZOKIO_MALLOC)  // no coroutines there
  return *thread_inline_cache;
#elif defined(__clang__)
  InlineCache* __attribute__((address_space(257))) * offset;  // 257: relative to %fs
  asm("movq zokio_thread_inline_cache@gottpoff(%%rip), %0" : "=r"(offset));
  return **offset;
#else
  InlineCache** address;
  asm volatile(
      "movq zokio_thread_inline_cache@gottpoff(%%rip), %0\n\t"
      "addq %%fs:0, %0"
      : "=r"(address)
      :
      : "cc");
  return **address;
#endif
}

#endif

// Grows when caches should look at their pools again: a limit changed, a pool began or ended to
// shrink, or memory is wanted back.
// Ordering: seq_cst, for park_thread_cache: either it sees the new epoch, or the thread that began
// it sees the parked cache. Hidden, so that a free reads it without a look at where it is.
[[gnu::visibility("hidden")]] extern constinit Atomic<uint64_t> cache_epoch_word;
inline uint64_t cache_epoch() noexcept {
  return cache_epoch_word.load();
}

#ifdef ZOKIO_INLINE_CACHE

// The usual case of an allocation and of a free; null and false: there is more to do.
inline FreeBlock* pop_block(Magazine& magazine) noexcept {
  FreeBlock* block = magazine.head;
  if (block == nullptr) [[unlikely]]
    return nullptr;
  magazine.head = block->next;
  magazine.took();
  return block;
}
inline bool push_block(InlineCache& cache, Magazine& magazine, void* p) noexcept {
  if (magazine.full() || cache.seen_epoch != cache_epoch()) [[unlikely]]
    return false;
  auto* block = static_cast<FreeBlock*>(p);
  block->next = magazine.head;
  magazine.head = block;
  magazine.brought();
  return true;
}

#endif

}  // namespace zokio::mem
