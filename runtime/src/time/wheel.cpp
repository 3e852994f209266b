// SPDX-License-Identifier: Apache-2.0
#include "time/wheel.h"

#include <algorithm>
#include <bit>

#include "zokio/base/assert.h"

namespace zokio::time {

namespace {

// How many nodes ahead of the one at hand are fetched: enough to hide a miss, few enough for the
// processor's buffers.
constexpr uint32_t kPrefetch = 8;

}  // namespace

Wheel::~Wheel() {
  for (ChunkStack& slot : slots_)
    for (Chunk* chunk = slot.take_all(); chunk != nullptr;)
      Chunk::destroy(std::exchange(chunk, chunk->next));
}

uint64_t Wheel::first_occupied(unsigned level, uint64_t from) const noexcept {
  const Occupied& bits = occupied_[level];
  const auto first = static_cast<unsigned>(from & (kSlots - 1));
  // The word of `from` comes twice: its later bits first, its earlier ones, a turn ahead, last.
  uint64_t word = bits[first / 64] & (~uint64_t{0} << (first % 64));
  for (unsigned i = 0; i <= bits.size(); ++i) {
    const unsigned at = (first / 64 + i) % bits.size();
    if (i == bits.size()) word = bits[at] & ~(~uint64_t{0} << (first % 64));
    if (word != 0) {
      const unsigned bit = at * 64 + static_cast<unsigned>(std::countr_zero(word));
      return from + ((bit - first) & (kSlots - 1));
    }
    word = bits[(at + 1) % bits.size()];
  }
  return kNever;
}

void Wheel::find_barrier() noexcept {
  barrier_ = kNever;
  for (unsigned level = 1; level < kLevels; ++level) {
    const uint64_t slot = first_upper(level);
    if (slot != kNever) barrier_ = std::min(barrier_, start_of(level, slot));
  }
}

void Wheel::look_again() noexcept {
  find_barrier();
  next_ = first_occupied(0, now_);
  if (barrier_ != kNever) next_ = std::min(next_, std::max(now_, barrier_ - kLead));
}

unsigned Wheel::take_due(uint64_t tick, TimerNode** out, unsigned most) noexcept {
  unsigned taken = 0;
  while (true) {
    ChunkStack& due = stack(0, now_);
    while (!due.empty() && taken < most) out[taken++] = due.pop(source_);
    if (!due.empty()) {
      due.prefetch(most);  // the next that are taken
      break;
    }
    clear_bit(static_cast<unsigned>(now_ & (kSlots - 1)));
    if (now_ >= tick || taken == most) break;
    uint64_t reach = std::min(tick, barrier_ - 1);
    if (reach <= now_) {
      // A slot begins that is not settled, unless all its nodes were removed.
      find_barrier();
      reach = std::min(tick, barrier_ - 1);
      if (reach <= now_) break;
    }
    now_ = std::min(first_occupied(0, now_), reach);
  }
  look_again();
  return taken;
}

unsigned Wheel::settle(unsigned most) noexcept {
  unsigned moved = 0;
  for (unsigned level = 1; level < kLevels; ++level) {
    while (moved < most) {
      const uint64_t slot = first_upper(level);
      if (slot == kNever || start_of(level, slot) - kLead > now_) break;
      ChunkStack& from = stack(level, slot);
      while (!from.empty() && moved < most) {
        if (const uint32_t count = from.top()->count; count > kPrefetch)
          __builtin_prefetch(from.top()->entries()[count - 1 - kPrefetch], 1);
        insert(from.pop(source_));
        ++moved;
      }
      if (from.empty()) clear_bit(level * kSlots + static_cast<unsigned>(slot & (kSlots - 1)));
    }
  }
  if (moved > 0) look_again();
  return moved;
}

Chunk* Wheel::take_all() noexcept {
  Chunk* all = nullptr;
  for (unsigned level = 0; level < kLevels; ++level) {
    for (uint64_t slot = first_occupied(level, 0); slot < kSlots;
         slot = first_occupied(level, slot + 1)) {
      Chunk* chunks = stack(level, slot).take_all();
      while (chunks != nullptr) {
        Chunk* below = chunks->next;
        chunks->next = all;
        all = std::exchange(chunks, below);
      }
      clear_bit(level * kSlots + static_cast<unsigned>(slot));
    }
  }
  look_again();
  return all;
}

}  // namespace zokio::time
