// SPDX-License-Identifier: Apache-2.0
#pragma once

// The heap: memory of any size, from the pool "heap", with the size known or not when it is freed.
// Thread: any; memory may be freed on another thread than the one that allocated it.
//
// The usual case is inline: a look-up of the class, the thread's magazine, its first block and one
// counter. A size that the compiler knows costs no look-up. A thread has magazines while it is a
// worker, or once it called attach_thread(); others are served by the central lists at first.

#include <cstddef>

#include "zokio/base/result.h"
#include "zokio/mem/chunk.h"
#include "zokio/mem/debug.h"
#include "zokio/mem/magazine.h"
#include "zokio/mem/mode.h"

namespace zokio::mem {

// Largest size that is ever served.
inline constexpr std::size_t kMaxAllocation = std::size_t{1} << 46;

void* allocate_slow(std::size_t bytes) noexcept;
void* allocate_class_slow(unsigned cls) noexcept;
void deallocate_slow(void* p) noexcept;
void deallocate_class_slow(void* p, unsigned cls) noexcept;

// At least `bytes` bytes, aligned to 16; unspecified content. Null when
// the limit of the pool (or of all pools) does not allow it, or the system has none. 0 is like 1.
inline void* allocate(std::size_t bytes) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::allocate(bytes);
#ifdef ZOKIO_INLINE_CACHE
  if (bytes <= kMaxKept) [[likely]] {
    if (FreeBlock* block = pop_block(inline_cache().heap[kept_class_of(bytes)])) [[likely]]
      return block;
  }
#endif
  return allocate_slow(bytes);
}

// Gives back what any function here allocated. Null is allowed.
inline void deallocate(void* p) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::deallocate(p);
#ifdef ZOKIO_INLINE_CACHE
  // An offset of 0 is null or an object above kMaxBlock.
  if (offset_in_chunk(p) != 0) [[likely]] {
    InlineCache& cache = inline_cache();
    const std::size_t cls = heap_class_at(p);
    // UltraFast does not look whether it is a block of the heap.
    if ((kMode == Mode::UltraFast || cls != 0) && push_block(cache, cache.heap[cls - 1], p))
        [[likely]]
      return;
  }
#endif
  deallocate_slow(p);
}

// The same for who knows the size. Requires: `p` came from allocate(bytes) with the same `bytes`,
// or is null.
inline void deallocate(void* p, std::size_t bytes) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::deallocate(p, bytes);
#ifdef ZOKIO_INLINE_CACHE
  if (bytes <= kMaxKept && p != nullptr) [[likely]] {
    InlineCache& cache = inline_cache();
    if (push_block(cache, cache.heap[kept_class_of(bytes)], p)) [[likely]]
      return;
  }
#else
  static_cast<void>(bytes);
#endif
  deallocate_slow(p);
}

// A size and an alignment known to the compiler: steps of 8 bytes where the alignment allows it.
template <std::size_t Bytes, std::size_t Alignment = kAlignment>
  requires(Bytes <= kMaxBlock && Alignment <= kAlignment)
inline constexpr unsigned class_for =
    Alignment <= kFineStep ? class_of_fine(Bytes) : class_of(Bytes);

template <std::size_t Bytes, std::size_t Alignment = kAlignment>
inline void* allocate() noexcept {
  if constexpr (kMode == Mode::Debug) return debug::allocate(Bytes);
  constexpr unsigned cls = class_for<Bytes, Alignment>;
#ifdef ZOKIO_INLINE_CACHE
  if (FreeBlock* block = pop_block(inline_cache().heap[cls])) [[likely]]
    return block;
#endif
  return allocate_class_slow(cls);
}

// Requires: `p` came from allocate<Bytes, Alignment>().
template <std::size_t Bytes, std::size_t Alignment = kAlignment>
inline void deallocate(void* p) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::deallocate(p, Bytes);
  constexpr unsigned cls = class_for<Bytes, Alignment>;
#ifdef ZOKIO_INLINE_CACHE
  InlineCache& cache = inline_cache();
  if (push_block(cache, cache.heap[cls], p)) [[likely]]
    return;
#endif
  deallocate_class_slow(p, cls);
}

// Requires: `alignment` is a power of two. Null also when it is above 4 MiB. deallocate(p) gives it
// back.
void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept;

// `p` with room for `bytes` and the same content up to the smaller size; null, and `p` stays, when
// that is not possible. Null for `p` is allocate(bytes).
void* reallocate(void* p, std::size_t bytes) noexcept;

// All bytes 0.
void* allocate_zeroed(std::size_t bytes) noexcept;

// The bytes that may be used behind `p`: what was asked for, rounded up to its class. 0 for null.
std::size_t usable_size(const void* p) noexcept;

// Gives this thread magazines until it ends, if it has none: for threads that are no workers and
// allocate much. False when the system has no memory for them. Idempotent.
bool attach_thread() noexcept;

}  // namespace zokio::mem
