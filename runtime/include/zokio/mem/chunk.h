// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an address says of the block that begins there.
//
// Memory comes from the system in chunks of 4 MiB at multiples of 4 MiB, cut into 64 slots. Slot 0
// is the chunk's own; the others belong to spans of blocks of one class. Objects above kMaxBlock
// begin where a chunk could begin: an offset of 0 tells them from blocks, and from null.
//
// The first page of a chunk has the class of each slot, for blocks that are freed without a size:
// 64 bytes, one cache line. Which line of the page is different from chunk to chunk, or the lines
// of all chunks would share the few places that a processor's cache has for one offset. The line's
// and the slot's number are neighbouring bits of the address.

#include <cstddef>
#include <cstdint>

#include "zokio/mem/size_class.h"

namespace zokio::mem {

inline constexpr std::size_t kChunkBytes = std::size_t{4} << 20;
inline constexpr unsigned kChunkSlots = kChunkBytes / kSlotBytes;
static_assert(kChunkSlots == 64, "one word of bits");

inline constexpr std::size_t kClassPage = 4096;

inline std::size_t offset_in_chunk(const void* p) noexcept {
  return reinterpret_cast<std::uintptr_t>(p) & (kChunkBytes - 1);
}
inline std::byte* chunk_start(const void* p) noexcept {
  return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(p) & ~(kChunkBytes - 1));
}

// By slot: 1 + the class of the blocks of a span of the pool "heap"; 0 where there is no such span,
// because blocks of other pools come with their size. Changed while no block of the slot is in use.
// Requires: `p` lies in a chunk.
inline uint8_t& heap_class_at(const void* p) noexcept {
  const std::size_t index = reinterpret_cast<std::uintptr_t>(p) / kSlotBytes % kClassPage;
  return reinterpret_cast<uint8_t&>(chunk_start(p)[index]);
}
static_assert(kClasses < UINT8_MAX);

}  // namespace zokio::mem
