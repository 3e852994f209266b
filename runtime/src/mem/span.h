// SPDX-License-Identifier: Apache-2.0
#pragma once

// Spans and the chunks they are cut from.
//
// A chunk is 4 MiB at a multiple of 4 MiB; slot 0 holds what describes it, so the span of a block
// is found by masking the block's address. A span is a run of slots with blocks of one class of one
// pool. Thread: fields of a span are guarded by the lock of its central list; `used` by the page
// heap's.

#include <array>
#include <cstddef>
#include <cstdint>

#include "mem/poison.h"
#include "zokio/mem/chunk.h"
#include "zokio/mem/magazine.h"
#include "zokio/mem/size_class.h"

namespace zokio::mem {

// Free blocks are poisoned, their link included.
inline FreeBlock* next_of(FreeBlock* block) noexcept {
  unpoison(block, sizeof *block);
  FreeBlock* next = block->next;
  poison(block, sizeof *block);
  return next;
}
inline void set_next(FreeBlock* block, FreeBlock* next) noexcept {
  unpoison(block, sizeof *block);
  block->next = next;
  poison(block, sizeof *block);
}

inline void Batch::push(FreeBlock* block) noexcept {
  set_next(block, head);
  head = block;
  ++count;
}
inline FreeBlock* Batch::pop() noexcept {
  FreeBlock* block = head;
  head = next_of(block);
  --count;
  return block;
}

struct Span {
  Span* next = nullptr;  // of the central list's spans with free blocks
  Span* previous = nullptr;
  FreeBlock* free = nullptr;
  std::byte* start = nullptr;
  uint32_t free_blocks = 0;  // length of `free`
  uint32_t carved = 0;       // blocks that were ever handed out; the rest was never touched
  uint32_t live = 0;         // carved - free_blocks: with a user or in a thread's cache
  uint16_t slots = 0;        // 0: the span is not in use
  uint8_t cls = 0;
  uint8_t pool = 0;
};

struct Chunk {
  Chunk* next = nullptr;  // of the page heap's chunks with the same longest run of free slots
  Chunk* previous = nullptr;
  uint64_t used = 1;                      // bit i: slot i belongs to a span; bit 0 is the header
  unsigned run = kChunkSlots - 1;         // the longest run of free slots
  uint8_t node = 0;                       // whose memory it is to be
  std::array<Span, kChunkSlots> spans{};  // by first slot
};
// Behind the page with the classes.
static_assert(kClassPage + sizeof(Chunk) <= kSlotBytes);

inline Chunk* chunk_of(const void* p) noexcept {
  return reinterpret_cast<Chunk*>(chunk_start(p) + kClassPage);
}

// Requires: `block` is a block of a span, not a large object. Blocks of multi-slot spans start in
// the first slot, because such a span holds one block.
inline Span& span_of(const void* block) noexcept {
  return chunk_of(block)->spans[offset_in_chunk(block) / kSlotBytes];
}

}  // namespace zokio::mem
