// SPDX-License-Identifier: Apache-2.0
#include "time/wheel.h"

#include <bit>

#include "zokio/base/assert.h"

namespace zokio::time {
namespace {

// How far ahead the wheel reaches: one tick less than a full turn of the highest level.
constexpr uint64_t kReach = (uint64_t{1} << (Wheel::kLevels * Wheel::kSlotBits)) - 1;

}  // namespace

// An overdue tick counts as the next one, and one beyond the reach as the farthest.
Wheel::Place Wheel::place_of(uint64_t tick) const noexcept {
  if (tick <= now_) tick = now_ + 1;
  if (tick - now_ > kReach) tick = now_ + kReach;
  const unsigned highest_bit = 63u - static_cast<unsigned>(std::countl_zero(tick ^ now_));
  unsigned level = highest_bit / kSlotBits;
  if (level >= kLevels)
    level = kLevels - 1;  // the top digit wrapped: its slot is behind, a turn away
  return {level, static_cast<unsigned>(tick >> (level * kSlotBits)) & (kSlots - 1)};
}

void Wheel::insert(TimerEntry* entry) noexcept {
  const auto [level, slot] = place_of(entry->tick);
  TimerEntry*& head = levels_[level].slots[slot];
  entry->prev = nullptr;
  entry->next = head;
  if (head != nullptr) head->prev = entry;
  head = entry;
  levels_[level].occupied |= uint64_t{1} << slot;
  ++size_;
}

void Wheel::remove(TimerEntry* entry) noexcept {
  ZOKIO_DCHECK(size_ > 0, "removing from an empty wheel");
  if (entry->next != nullptr) entry->next->prev = entry->prev;
  if (entry->prev != nullptr) {
    entry->prev->next = entry->next;
  } else {
    // The head of its slot. An entry placed long ago may lie elsewhere than place_of() says today,
    // so the slot is found by its head.
    bool found = false;
    for (Level& level : levels_) {
      const unsigned slot =
          static_cast<unsigned>(entry->tick >> ((&level - levels_.data()) * kSlotBits)) &
          (kSlots - 1);
      if (level.slots[slot] != entry) continue;
      level.slots[slot] = entry->next;
      if (entry->next == nullptr) level.occupied &= ~(uint64_t{1} << slot);
      found = true;
      break;
    }
    if (!found) {  // an overdue or far entry, placed by a clamped tick
      for (Level& level : levels_) {
        for (unsigned slot = 0; slot < kSlots && !found; ++slot) {
          if (level.slots[slot] != entry) continue;
          level.slots[slot] = entry->next;
          if (entry->next == nullptr) level.occupied &= ~(uint64_t{1} << slot);
          found = true;
        }
      }
    }
    ZOKIO_CHECK(found, "the timer is not in this wheel");
  }
  entry->next = entry->prev = nullptr;
  --size_;
}

TimerEntry* Wheel::take_slot(unsigned level, unsigned slot) noexcept {
  TimerEntry* list = levels_[level].slots[slot];
  levels_[level].slots[slot] = nullptr;
  levels_[level].occupied &= ~(uint64_t{1} << slot);
  return list;
}

uint64_t Wheel::next_tick() const noexcept {
  // Slots of a level lie ahead of the current digit and before its next turn; the lowest occupied
  // level holds the earliest entry, because a higher one starts after the lower one's turn.
  for (unsigned level = 0; level < kLevels; ++level) {
    const uint64_t occupied = levels_[level].occupied;
    if (occupied == 0) continue;
    const unsigned shift = level * kSlotBits;
    const unsigned digit = static_cast<unsigned>(now_ >> shift) & (kSlots - 1);
    // 1 is the next slot; 64 is the current digit itself, a full turn ahead (top level only).
    const auto ahead = 1 + static_cast<uint64_t>(
                               std::countr_zero(std::rotr(occupied, static_cast<int>(digit + 1))));
    const uint64_t base = (now_ >> shift) << shift;  // start of the current digit's slot
    return base + (ahead << shift);
  }
  return kNever;
}

TimerEntry* Wheel::advance(uint64_t tick) noexcept {
  TimerEntry* due_head = nullptr;
  TimerEntry** due_tail = &due_head;
  while (true) {
    const uint64_t next = next_tick();
    if (next == kNever || next > tick) break;
    unsigned level = 0;
    while (levels_[level].occupied == 0) ++level;
    now_ = next;
    const unsigned slot = static_cast<unsigned>(next >> (level * kSlotBits)) & (kSlots - 1);
    for (TimerEntry* entry = take_slot(level, slot); entry != nullptr;) {
      TimerEntry* following = entry->next;
      entry->next = entry->prev = nullptr;
      --size_;
      if (entry->tick <= now_) {
        *due_tail = entry;
        due_tail = &entry->next;
      } else {
        insert(entry);
      }
      entry = following;
    }
  }
  if (tick > now_) now_ = tick;
  return due_head;
}

TimerEntry* Wheel::take_all() noexcept {
  TimerEntry* all = nullptr;
  for (unsigned level = 0; level < kLevels; ++level) {
    while (levels_[level].occupied != 0) {
      const auto slot = static_cast<unsigned>(std::countr_zero(levels_[level].occupied));
      for (TimerEntry* entry = take_slot(level, slot); entry != nullptr;) {
        TimerEntry* following = entry->next;
        entry->prev = nullptr;
        entry->next = all;
        all = entry;
        entry = following;
      }
    }
  }
  size_ = 0;
  return all;
}

}  // namespace zokio::time
