// SPDX-License-Identifier: Apache-2.0
// The heap behind its inline entries: threads without magazines, large objects, alignments, and
// memory that changes its size.

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "mem/large.h"
#include "mem/mapping.h"
#include "mem/outside_cache.h"
#include "mem/poison.h"
#include "mem/pool.h"
#include "mem/thread_cache.h"
#include "zokio/base/assert.h"
#include "zokio/mem/allocate.h"

namespace zokio::mem {
namespace {

Pool& heap() noexcept {
  return pool(PoolId::Heap);
}

void* allocate_large(std::size_t bytes, bool* fresh = nullptr) noexcept {
  if (bytes > kMaxAllocation) return nullptr;
  Refusal why = Refusal::None;
  return heap().obtain_large(bytes, heap().may_exceed(), why, fresh);
}

// Requires: `p` is a block of the heap. Whatever else it is would be found here or in the check of
// its span, unless it points to no memory at all.
unsigned class_at(const void* p) noexcept {
  const unsigned found = heap_class_at(p);
  ZOKIO_CHECK(found != 0, "free of an address that the heap did not give out");
  return found - 1;
}

// From one mapping to another by its pages, without a copy. Both lie in mappings of their own, so
// the old one is unmapped as a whole afterwards, what was moved included.
bool move_pages(void* from, std::size_t bytes, void* to) noexcept {
  return ::mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
}

// Below this a copy is cheaper than the page tables.
constexpr std::size_t kMoveFrom = std::size_t{4} << 20;

// `asked`: as for Pool::obtain.
void* allocate_block(unsigned cls, std::size_t asked) noexcept {
#ifdef ZOKIO_MALLOC  // every thread of the program is one that allocates
  if (this_thread_cache == nullptr) attach_thread();
#endif
  Refusal why = Refusal::None;
  ThreadCache* cache = this_thread_cache;
  FreeBlock* block = cache != nullptr
                         ? cache->take(PoolId::Heap, cls, heap().may_exceed(), why, asked)
                         : take_outside(PoolId::Heap, cls, heap().may_exceed(), why, asked);
  if (block != nullptr) unpoison(block, class_bytes(cls));
  return block;
}

}  // namespace

void* allocate_slow(std::size_t bytes) noexcept {
  if (bytes <= kMaxBlock) return allocate_block(class_of(bytes), bytes);
  return allocate_large(bytes);
}

void* allocate_class_slow(unsigned cls) noexcept {
  return allocate_block(cls, 0);
}

void deallocate_slow(void* p) noexcept {
  if (p == nullptr) return;
  if (offset_in_chunk(p) == 0) return heap().give_large(p);
  deallocate_class_slow(p, class_at(p));
}

void deallocate_class_slow(void* p, unsigned cls) noexcept {
  if (p == nullptr) return;
  check_not_poisoned(p, 1);
  poison(p, class_bytes(cls));
  auto* block = static_cast<FreeBlock*>(p);
  if (ThreadCache* cache = this_thread_cache) return cache->put(PoolId::Heap, cls, block);
  give_outside(PoolId::Heap, cls, block);
}

void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::allocate(bytes, alignment);
  ZOKIO_CHECK(std::has_single_bit(alignment), "an alignment is a power of two");
  if (alignment <= kAlignment) return allocate(std::max(bytes, alignment));
  if (alignment > kChunkBytes) return nullptr;
  if (alignment <= kSlotBytes && bytes <= kMaxBlock) {
    // Blocks lie at multiples of their size in spans that begin at a slot.
    unsigned cls = class_of(std::max(bytes, alignment));
    while (class_bytes(cls) % alignment != 0) ++cls;
    return allocate(class_bytes(cls));
  }
  return allocate_large(bytes);
}

void* allocate_zeroed(std::size_t bytes) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::allocate_zeroed(bytes);
  bool fresh = false;
  void* p = bytes > kMaxBlock ? allocate_large(bytes, &fresh) : allocate(bytes);
  if (p != nullptr && !fresh) std::memset(p, 0, bytes);
  return p;
}

std::size_t usable_size(const void* p) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::usable_size(p);
  if (p == nullptr) return 0;
  if (offset_in_chunk(p) == 0) return large_head(const_cast<void*>(p)).bytes;
  return class_bytes(class_at(p));
}

void* reallocate(void* p, std::size_t bytes) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::reallocate(p, bytes);
  if (p == nullptr) return allocate(bytes);
  const std::size_t has = usable_size(p);
  // In place while at least half of it is used: who shrinks a little often grows again.
  const bool in_place = bytes <= has && bytes >= has / 2;
  // What is copied may be all of the block; and what is not asked for begins elsewhere from now on.
  unpoison(p, has);
  if (in_place) {
    poison(static_cast<std::byte*>(p) + bytes, has - bytes);
    return p;
  }
  void* to = allocate(bytes);
  if (to == nullptr) return nullptr;
  const std::size_t kept = std::min(has, bytes);
  const bool both_large = offset_in_chunk(p) == 0 && offset_in_chunk(to) == 0;
  if (!both_large || kept < kMoveFrom || !move_pages(p, round_to_pages(kept), to)) {
    std::memcpy(to, p, kept);
    deallocate(p);
  } else {
    heap().give_large(p, /*keep=*/false);
  }
  return to;
}

}  // namespace zokio::mem
