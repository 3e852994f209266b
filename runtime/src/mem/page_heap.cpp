// SPDX-License-Identifier: Apache-2.0
// First fit over the chunks. A chunk without spans is unmapped unless it is the last one, which
// stays so that a program that goes up and down around one span does not map each time.

#include "mem/page_heap.h"

#include <bit>
#include <new>

#include "mem/mapping.h"
#include "mem/poison.h"
#include "zokio/base/assert.h"

namespace zokio::mem {
namespace {

uint64_t run_mask(unsigned slots) noexcept {
  return (uint64_t{1} << slots) - 1;
}

}  // namespace

Span* PageHeap::allocate(unsigned slots) noexcept {
  const std::scoped_lock lock(mutex_);
  for (Chunk* chunk = chunks_; chunk != nullptr; chunk = chunk->next) {
    if (Span* span = take(*chunk, slots)) return span;
  }
  Chunk* chunk = grow();
  return chunk == nullptr ? nullptr : take(*chunk, slots);
}

Span* PageHeap::take(Chunk& chunk, unsigned slots) noexcept {
  // Bit i of `runs` stays set when slots i to i + slots - 1 are all free.
  uint64_t runs = ~chunk.used;
  for (unsigned i = 1; i < slots; ++i) runs &= ~chunk.used >> i;
  if (runs == 0) return nullptr;
  const auto first = static_cast<unsigned>(std::countr_zero(runs));
  chunk.used |= run_mask(slots) << first;
  Span& span = chunk.spans[first];
  ZOKIO_CHECK(span.slots == 0, "page heap: span in use at a free slot");
  span = Span{};
  span.start = reinterpret_cast<std::byte*>(&chunk) + first * kSlotBytes;
  span.slots = static_cast<uint16_t>(slots);
  poison(span.start, slots * kSlotBytes);
  return &span;
}

void PageHeap::free(Span& span) noexcept {
  const std::scoped_lock lock(mutex_);
  Chunk& chunk = *chunk_of(span.start);
  const auto first = static_cast<unsigned>(&span - chunk.spans.data());
  const uint64_t bits = run_mask(span.slots) << first;
  ZOKIO_CHECK(span.slots != 0 && (chunk.used & bits) == bits, "page heap: span freed twice");
  span.slots = 0;
  chunk.used &= ~bits;
  if (chunk.used == 1 && (chunk.next != nullptr || chunk.previous != nullptr)) drop(chunk);
}

Chunk* PageHeap::grow() noexcept {
  std::byte* memory = map(kChunkBytes, kChunkBytes);
  if (memory == nullptr) return nullptr;
  auto* chunk = new (memory) Chunk;
  chunk->next = chunks_;
  if (chunks_ != nullptr) chunks_->previous = chunk;
  chunks_ = chunk;
  return chunk;
}

void PageHeap::drop(Chunk& chunk) noexcept {
  (chunk.previous != nullptr ? chunk.previous->next : chunks_) = chunk.next;
  if (chunk.next != nullptr) chunk.next->previous = chunk.previous;
  unmap(reinterpret_cast<std::byte*>(&chunk), kChunkBytes);
}

}  // namespace zokio::mem
