// SPDX-License-Identifier: Apache-2.0
// A chunk without spans is unmapped unless it is the only one of its kind, which stays so that a
// program that goes up and down around one span does not map each time.

#include "mem/page_heap.h"

#include <bit>
#include <new>

#include "mem/mapping.h"
#include "mem/numa.h"
#include "mem/poison.h"
#include "zokio/base/assert.h"

namespace zokio::mem {
namespace {

constexpr unsigned kEmptyRun = kChunkSlots - 1;

uint64_t run_mask(unsigned slots) noexcept {
  return (uint64_t{1} << slots) - 1;
}

unsigned longest_run(uint64_t free) noexcept {
  unsigned run = 0;
  for (; free != 0; free &= free >> 1) ++run;
  return run;
}

}  // namespace

Span* PageHeap::allocate(unsigned slots, unsigned node) noexcept {
  const std::scoped_lock lock(mutex_);
  Chunk* chunk = with_room_for(slots);
  if (chunk == nullptr) chunk = grow(node);
  return chunk == nullptr ? nullptr : &take(*chunk, slots);
}

Chunk* PageHeap::with_room_for(unsigned slots) noexcept {
  const uint64_t fitting = runs_ & ~run_mask(slots);
  return fitting == 0 ? nullptr : by_run_[static_cast<unsigned>(std::countr_zero(fitting))];
}

// Requires: chunk.run >= slots.
Span& PageHeap::take(Chunk& chunk, unsigned slots) noexcept {
  // Bit i of `runs` stays set when slots i to i + slots - 1 are all free.
  uint64_t runs = ~chunk.used;
  for (unsigned i = 1; i < slots; ++i) runs &= ~chunk.used >> i;
  const auto first = static_cast<unsigned>(std::countr_zero(runs));
  unlink(chunk);
  chunk.used |= run_mask(slots) << first;
  link(chunk);
  Span& span = chunk.spans[first];
  ZOKIO_CHECK(span.slots == 0, "page heap: span in use at a free slot");
  span = Span{};
  span.start = chunk_start(&chunk) + first * kSlotBytes;
  span.slots = static_cast<uint16_t>(slots);
  poison(span.start, slots * kSlotBytes);
  return span;
}

void PageHeap::free(Span& span) noexcept {
  const std::scoped_lock lock(mutex_);
  Chunk& chunk = *chunk_of(span.start);
  const auto first = static_cast<unsigned>(&span - chunk.spans.data());
  const uint64_t bits = run_mask(span.slots) << first;
  ZOKIO_CHECK(span.slots != 0 && (chunk.used & bits) == bits, "page heap: span freed twice");
  span.slots = 0;
  heap_class_at(span.start) = 0;
  unlink(chunk);
  chunk.used &= ~bits;
  if (chunk.used == 1 && by_run_[kEmptyRun] != nullptr)
    unmap(chunk_start(&chunk), kChunkBytes);
  else
    link(chunk);
}

Chunk* PageHeap::grow(unsigned node) noexcept {
  std::byte* memory = map(kChunkBytes, kChunkBytes);
  if (memory == nullptr) return nullptr;
  if (numa_nodes() > 1) os::prefer_numa_node(memory, kChunkBytes, node);
  auto* chunk = new (memory + kClassPage) Chunk;
  chunk->node = static_cast<uint8_t>(node);
  link(*chunk);
  return chunk;
}

void PageHeap::link(Chunk& chunk) noexcept {
  chunk.run = longest_run(~chunk.used);
  Chunk*& first = by_run_[chunk.run];
  chunk.previous = nullptr;
  chunk.next = first;
  if (first != nullptr) first->previous = &chunk;
  first = &chunk;
  runs_ |= uint64_t{1} << chunk.run;
}

void PageHeap::unlink(Chunk& chunk) noexcept {
  Chunk*& first = by_run_[chunk.run];
  (chunk.previous != nullptr ? chunk.previous->next : first) = chunk.next;
  if (chunk.next != nullptr) chunk.next->previous = chunk.previous;
  if (first == nullptr) runs_ &= ~(uint64_t{1} << chunk.run);
}

}  // namespace zokio::mem
