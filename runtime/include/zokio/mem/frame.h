// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory of coroutine frames, from the pool "frames". Used by operator new and delete of promises,
// and for other small objects of the runtime that live as frames do.
// Thread: any; a frame may be freed on another thread than the one that allocated it.
//
// The usual case is inline: a compiler that knows the size is left with the thread's magazine, a
// look at its first block, and two counters.

#include <cstddef>

#include "zokio/mem/magazine.h"

#if defined(__x86_64__) && !defined(ZOKIO_MODEL) && !defined(__SANITIZE_ADDRESS__)
#if !defined(__has_feature)
#define ZOKIO_INLINE_FRAMES 1
#elif !__has_feature(address_sanitizer)
#define ZOKIO_INLINE_FRAMES 1
#endif
#endif

namespace zokio::mem {

void* allocate_frame_slow(std::size_t bytes) noexcept;
void free_frame_slow(void* frame, std::size_t bytes) noexcept;

#ifdef ZOKIO_INLINE_FRAMES

// Null: this thread has no cache. The address is computed by volatile assembler, for the reason in
// task/context.h.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local FrameCache* thread_frame_cache asm(
    "zokio_thread_frame_cache");
inline FrameCache* frame_cache() noexcept {
  FrameCache** address;
  asm volatile(
      "movq zokio_thread_frame_cache@gottpoff(%%rip), %0\n\t"
      "addq %%fs:0, %0"
      : "=r"(address)
      :
      : "cc");
  return *address;
}

// Aligned to 16. Never null: a pool at its limit still serves, counts that in failures_limit and
// stays `shrinking` until it is below again; when the system has no memory left, the process
// aborts.
inline void* allocate_frame(std::size_t bytes) noexcept {
  if (FrameCache* cache = frame_cache(); cache != nullptr && bytes <= kMaxBlock) [[likely]] {
    Magazine& magazine = cache->frames[class_of(bytes)];
    if (FreeBlock* block = magazine.blocks.head; block != nullptr) [[likely]] {
      magazine.blocks.head = block->next;
      --magazine.blocks.count;
      magazine.hits.add();
      return block;
    }
  }
  return allocate_frame_slow(bytes);
}

// Requires: `frame` came from allocate_frame(bytes) with the same `bytes`. Null is allowed.
inline void free_frame(void* frame, std::size_t bytes) noexcept {
  if (FrameCache* cache = frame_cache(); cache != nullptr && bytes <= kMaxBlock) [[likely]] {
    Magazine& magazine = cache->frames[class_of(bytes)];
    if (magazine.blocks.count < magazine.capacity && cache->seen_epoch == cache_epoch() &&
        frame != nullptr) [[likely]] {
      auto* block = static_cast<FreeBlock*>(frame);
      block->next = magazine.blocks.head;
      magazine.blocks.head = block;
      ++magazine.blocks.count;
      magazine.frees.add();
      return;
    }
  }
  free_frame_slow(frame, bytes);
}

#else

inline void* allocate_frame(std::size_t bytes) noexcept {
  return allocate_frame_slow(bytes);
}
inline void free_frame(void* frame, std::size_t bytes) noexcept {
  free_frame_slow(frame, bytes);
}

#endif

}  // namespace zokio::mem
