// SPDX-License-Identifier: Apache-2.0
#pragma once

// A hierarchical timing wheel: a pure data structure over ticks, without clock, lock or threads.
//
// Level L has 512 slots of 256^L ticks; a node lies in the lowest level that reaches its tick, so
// insert and remove are O(1). A slot of a higher level is emptied into the levels below it
// ("settled") in the 256 ticks before it begins. That is what the second half of each level's slots
// is for: two turns of the level below fit, so a slot can be settled while the turn before it still
// runs, in small steps, and nothing is late because a million nodes had to be moved at once.
//
// Invariants, with now() the tick up to which everything due was taken out:
//   level 0   holds ticks now() to now() + 511 (earlier ones count as now())
//   level L   its occupied slots begin after now(): now() stops short of a slot that is not settled
//
// Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987); settling ahead is
// ours. Thread: one at a time, the owner of the time::Timers around it.

#include <array>
#include <cstdint>

#include "time/chunk.h"

namespace zokio::time {

class Wheel : Pinned {
 public:
  static constexpr unsigned kLevels = 4;
  static constexpr unsigned kFanBits = 8;
  static constexpr unsigned kSlots = 2u << kFanBits;
  // How long before its start a slot may be settled.
  static constexpr uint64_t kLead = uint64_t{1} << kFanBits;
  static constexpr uint64_t kNever = UINT64_MAX;

  ~Wheel();

  // Places the node by its tick; one that is due already is among the next taken.
  // Requires: node in no list.
  void insert(TimerNode* node) noexcept;
  // Requires: node->place is a slot of this wheel. It is void afterwards.
  void remove(TimerNode* node) noexcept;

  // Moves on to `tick` and takes out what is due, earliest tick first, at most `most` nodes.
  // Returns how many; fewer than `most`: everything is out, or the rest waits for settle(). The
  // nodes are not touched, their place is void.
  unsigned take_due(uint64_t tick, TimerNode** out, unsigned most) noexcept;
  // Moves down at most `most` nodes of slots that begin soon. Returns how many.
  unsigned settle(unsigned most) noexcept;

  // The tick from which on take_due() or settle() has work; kNever when there is none. Never late;
  // too early when the earliest node was removed, until look_again().
  uint64_t next_tick() const noexcept { return next_; }
  // Makes next_tick() exact.
  void look_again() noexcept;
  // Nothing happened until `tick`. Requires: tick < next_tick().
  void pass_to(uint64_t tick) noexcept {
    if (tick > now_) now_ = tick;
  }

  uint64_t now() const noexcept { return now_; }
  // Hands out everything: chunks through `next`. The nodes' places are void.
  Chunk* take_all() noexcept;

 private:
  using Occupied = std::array<uint64_t, kSlots / 64>;

  static constexpr uint64_t start_of(unsigned level, uint64_t slot) noexcept {
    return slot << (level * kFanBits);
  }
  void put(unsigned level, uint64_t slot, TimerNode* node) noexcept;
  ChunkStack& stack(unsigned level, uint64_t slot) noexcept {
    return slots_[level * kSlots + (slot & (kSlots - 1))];
  }
  void clear_bit(unsigned index) noexcept {
    occupied_[index / kSlots][(index % kSlots) / 64] &= ~(uint64_t{1} << (index % 64));
  }
  // The first occupied slot of the level at or after `from`, in the level's numbering; kNever.
  uint64_t first_occupied(unsigned level, uint64_t from) const noexcept;
  // The first occupied slot of a higher level; its start is after now().
  uint64_t first_upper(unsigned level) const noexcept {
    return first_occupied(level, (now_ >> (level * kFanBits)) + 1);
  }
  void find_barrier() noexcept;

  uint64_t now_ = 0;
  uint64_t next_ = kNever;
  // The start of the first occupied slot of the higher levels, or earlier; now_ stays below it.
  uint64_t barrier_ = kNever;
  std::array<Occupied, kLevels> occupied_{};  // bit s: slot s is not empty
  ChunkSource source_;
  std::array<ChunkStack, kLevels * kSlots> slots_{};
};

}  // namespace zokio::time
