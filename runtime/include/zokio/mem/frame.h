// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory of coroutine frames, from the pool "frames". Used by operator new and delete of promises,
// and for other small objects of the runtime that live as frames do.
// Thread: any; a frame may be freed on another thread than the one that allocated it.
//
// The usual case is inline: a compiler that knows the size is left with the thread's magazine, a
// look at its first block, and one counter.

#include <cstddef>

#include "zokio/mem/magazine.h"
#include "zokio/mem/mode.h"

namespace zokio::mem {

void* allocate_frame_slow(std::size_t bytes) noexcept;
void free_frame_slow(void* frame, std::size_t bytes) noexcept;

#ifdef ZOKIO_INLINE_CACHE

// Aligned to 16. Never null: a pool at its limit still serves, counts that in failures_limit and
// stays `shrinking` until it is below again; when the system has no memory left, the process
// aborts.
inline void* allocate_frame(std::size_t bytes) noexcept {
  if constexpr (kMode == Mode::Debug) return allocate_frame_slow(bytes);
  if (bytes <= kMaxKept) [[likely]] {
    if (FreeBlock* block = pop_block(inline_cache().frames[kept_class_of(bytes)])) [[likely]]
      return block;
  }
  return allocate_frame_slow(bytes);
}

// Requires: `frame` came from allocate_frame(bytes) with the same `bytes`. Null is allowed.
inline void free_frame(void* frame, std::size_t bytes) noexcept {
  if constexpr (kMode == Mode::Debug) return free_frame_slow(frame, bytes);
  if (bytes <= kMaxKept && frame != nullptr) [[likely]] {
    InlineCache& cache = inline_cache();
    if (push_block(cache, cache.frames[kept_class_of(bytes)], frame)) [[likely]]
      return;
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
