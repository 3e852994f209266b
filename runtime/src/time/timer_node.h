// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the wheel holds of a timer: 32 bytes for one that wakes a task, 40 for one that calls.
//
// Who may touch what:
//   state        any thread
//   owner        read by any; changed by the old owner when it hands the node over
//   tick, place, entry   the owner
//   the union    `next` the thread that made the state Cancelled, then the owner; the others are
//                written before the node is armed and read by whoever made the state Firing
// Who frees it: the handle when it is Fired; the owner's thread when that cancels an Armed one; the
// owner, with its mail, when another thread made it Cancelled. So each node has one last user.
// An Armed or Cancelled node is always pointed to by *entry, and its owner knows where that is.

#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/time/timer.h"

namespace zokio::time {

class Timers;

struct TimerNode {
  enum class State : uint8_t { Armed, Firing, Fired, Cancelled };

  // Ticks are 40 bits wide: nine years of 262 us since the machine started. Later ones are clamped.
  static constexpr uint64_t kMaxTick = (uint64_t{1} << 40) - 1;
  // Not in a slot of the wheel: among those that fire, or on the way to another worker.
  static constexpr uint16_t kDetached = 0x7fff;

  uint64_t tick() const noexcept { return (uint64_t{tick_high} << 32) | tick_low; }
  // Requires: tick <= kMaxTick.
  void set_tick(uint64_t tick) noexcept {
    tick_high = static_cast<uint8_t>(tick >> 32);
    tick_low = static_cast<uint32_t>(tick);
  }

  Atomic<State> state{State::Armed};
  uint8_t tick_high = 0;
  uint16_t calls : 1 = 0;  // a CallbackNode; constant while armed
  uint16_t place : 15 = kDetached;
  uint32_t tick_low = 0;
  Atomic<Timers*> owner{nullptr};
  TimerNode** entry = nullptr;  // the pointer to this node in a chunk, or in a batch that fires
  union {
    task::Header* task = nullptr;
    Timer::Callback fn;
    TimerNode* next;
  };
};

struct CallbackNode : TimerNode {
  void* arg = nullptr;
};

#ifndef ZOKIO_MODEL
static_assert(sizeof(TimerNode) == 32 && sizeof(CallbackNode) == 40);
#endif

// From the pool of the frames: node and task come and go together.
TimerNode* new_node(task::Header* wakes) noexcept;
TimerNode* new_node(Timer::Callback fn, void* arg) noexcept;
void free_node(TimerNode* node) noexcept;

}  // namespace zokio::time
