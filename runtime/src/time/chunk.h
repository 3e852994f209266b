// SPDX-License-Identifier: Apache-2.0
#pragma once

// A slot of the wheel: a stack of chunks, each an array of pointers to nodes.
//
// Arrays instead of a list through the nodes, because a slot with thousands of nodes is walked when
// it is opened and when it is due: the addresses are known ahead, so the nodes can be prefetched,
// where a list costs one cache miss after the other. Only the newest chunk is not full; a node
// knows where it is pointed to (TimerNode::entry), so taking it out means filling its place with
// the newest one: O(1), no search. Thread: one at a time.

#include <cstdint>

#include "time/timer_node.h"
#include "zokio/mem/frame.h"

namespace zokio::time {

struct Chunk {
  static constexpr uint32_t kHeaderBytes = 16;
  // 64 bytes for the first, then four times the last, up to 1 KiB.
  static constexpr uint32_t kSmallest = (64 - kHeaderBytes) / sizeof(TimerNode*);
  static constexpr uint32_t kLargest = (1024 - kHeaderBytes) / sizeof(TimerNode*);

  static Chunk* create(uint32_t capacity) noexcept {
    auto* chunk = static_cast<Chunk*>(mem::allocate_frame(bytes(capacity)));
    chunk->next = nullptr;
    chunk->count = 0;
    chunk->capacity = capacity;
    return chunk;
  }
  static void destroy(Chunk* chunk) noexcept { mem::free_frame(chunk, bytes(chunk->capacity)); }
  static constexpr std::size_t bytes(uint32_t capacity) noexcept {
    return kHeaderBytes + capacity * sizeof(TimerNode*);
  }

  TimerNode** entries() noexcept {
    return reinterpret_cast<TimerNode**>(reinterpret_cast<char*>(this) + kHeaderBytes);
  }

  Chunk* next;
  uint32_t count;
  uint32_t capacity;
};
static_assert(sizeof(Chunk) == Chunk::kHeaderBytes);

// Creates and ends the chunks of a wheel; keeps one empty one, so that arming and cancelling a lone
// timer over and over asks nobody for memory.
class ChunkSource : Pinned {
 public:
  ChunkSource() = default;
  ~ChunkSource() {
    if (spare_ != nullptr) Chunk::destroy(spare_);
  }
  Chunk* take(const Chunk* below) noexcept {
    if (below == nullptr) {
      if (Chunk* chunk = std::exchange(spare_, nullptr)) return chunk;
      return Chunk::create(Chunk::kSmallest);
    }
    const uint32_t next = static_cast<uint32_t>(
        (Chunk::bytes(below->capacity) * 4 - Chunk::kHeaderBytes) / sizeof(TimerNode*));
    return Chunk::create(next < Chunk::kLargest ? next : Chunk::kLargest);
  }
  void give(Chunk* chunk) noexcept {
    if (spare_ == nullptr && chunk->capacity == Chunk::kSmallest)
      spare_ = chunk;
    else
      Chunk::destroy(chunk);
  }

 private:
  Chunk* spare_ = nullptr;  // empty, of the smallest size, next == nullptr
};

// One slot. Trivially null when empty.
class ChunkStack {
 public:
  bool empty() const noexcept { return top_ == nullptr; }
  Chunk* top() const noexcept { return top_; }

  void push(TimerNode* node, ChunkSource& source) noexcept {
    Chunk* chunk = top_;
    if (chunk == nullptr || chunk->count == chunk->capacity) [[unlikely]] {
      chunk = source.take(top_);
      chunk->next = top_;
      top_ = chunk;
    }
    TimerNode** entry = chunk->entries() + chunk->count++;
    *entry = node;
    node->entry = entry;
  }

  // The newest. The node itself is not touched. Requires: !empty().
  TimerNode* pop(ChunkSource& source) noexcept {
    Chunk* chunk = top_;
    TimerNode* node = chunk->entries()[--chunk->count];
    if (chunk->count == 0) drop_top(source);
    return node;
  }

  // Requires: node is in this slot.
  void remove(TimerNode* node, ChunkSource& source) noexcept {
    TimerNode** hole = node->entry;
    TimerNode* newest = pop(source);
    if (newest == node) return;
    *hole = newest;
    newest->entry = hole;
  }

  // Asks for the `count` newest nodes, which are taken soon.
  void prefetch(uint32_t count) const noexcept {
    if (top_ == nullptr) return;
    const uint32_t here = top_->count < count ? top_->count : count;
    for (uint32_t i = 1; i <= here; ++i) __builtin_prefetch(top_->entries()[top_->count - i], 1);
  }

  // All chunks, newest first, through `next`.
  Chunk* take_all() noexcept { return std::exchange(top_, nullptr); }

 private:
  void drop_top(ChunkSource& source) noexcept {
    Chunk* chunk = std::exchange(top_, top_->next);
    chunk->next = nullptr;
    source.give(chunk);
  }

  Chunk* top_ = nullptr;
};

}  // namespace zokio::time
