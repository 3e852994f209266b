// SPDX-License-Identifier: Apache-2.0
#pragma once

// A hierarchical timing wheel: a pure data structure over ticks, without clock, lock or threads.
//
// Level L has 64 slots of 64^L ticks. An entry lies in the level of the highest digit (base 64) in
// which its tick differs from the current one, so insert and remove are O(1), and an entry moves
// down at most kLevels times before it is due.
//
// Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987).
// Thread: one at a time; time::Timers locks.

#include <array>
#include <cstdint>

#include "zokio/time/timer_entry.h"

namespace zokio::time {

class Wheel : Pinned {
 public:
  // 64^6 ticks of 262 us are 208 days; later deadlines wait in the last slot and are placed again.
  static constexpr unsigned kLevels = 6;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1u << kSlotBits;
  static constexpr uint64_t kNever = UINT64_MAX;

  // Requires: entry in no list. An entry due at or before now() is returned by the next advance().
  void insert(TimerEntry* entry) noexcept;
  // Requires: entry in this wheel.
  void remove(TimerEntry* entry) noexcept;
  // Moves on to `tick` and unlinks what is due, oldest slot first: a list through `next`.
  TimerEntry* advance(uint64_t tick) noexcept;
  // A tick at or before the earliest entry's, and after which advance() makes progress; kNever when
  // empty.
  uint64_t next_tick() const noexcept;

  uint64_t now() const noexcept { return now_; }
  uint64_t size() const noexcept { return size_; }
  // Unlinks everything: a list through `next`.
  TimerEntry* take_all() noexcept;
  // Sets the current tick of an empty wheel.
  void start_at(uint64_t tick) noexcept { now_ = tick; }

 private:
  struct Level {
    uint64_t occupied = 0;  // bit s: slots[s] is not empty
    std::array<TimerEntry*, kSlots> slots{};
  };

  struct Place {
    unsigned level;
    unsigned slot;
  };
  Place place_of(uint64_t tick) const noexcept;
  TimerEntry* take_slot(unsigned level, unsigned slot) noexcept;

  uint64_t now_ = 0;
  uint64_t size_ = 0;
  std::array<Level, kLevels> levels_{};
};

}  // namespace zokio::time
