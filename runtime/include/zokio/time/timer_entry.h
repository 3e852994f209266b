// SPDX-License-Identifier: Apache-2.0
#pragma once

// One armed deadline. Intrusive: lives in the awaiter or the guard that wants it.
//
// States: Idle -> Armed -> Fired            (a wake-up: the entry may be gone as soon as it fired)
//                       -> Firing -> Fired  (a callback: cancel() waits for its end)
//         Armed -> Idle by cancel().
// Changed under the lock of the Timers that own the entry, except Firing -> Fired.

#include <atomic>
#include <cstdint>

#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"
#include "zokio/task/context.h"

namespace zokio::time {

class Timers;

struct TimerEntry : Pinned {
  enum class State : uint8_t { Idle, Armed, Firing, Fired };
  using Fn = void (*)(TimerEntry*) noexcept;

  // Exactly one of the two: a task to wake, or a function to call on the worker that owns the
  // timer.
  explicit TimerEntry(task::Header* wakes) noexcept : task(wakes) {}
  explicit TimerEntry(Fn calls) noexcept : fn(calls) {}
  ~TimerEntry() { cancel(); }

  // Arms it on the current worker's timers. Requires: called from a task; Idle.
  void arm(Instant deadline) noexcept;
  // Disarms. True when it will not fire and did not; false when it fired (and its callback ended).
  // Thread: any. Idempotent.
  bool cancel() noexcept;

  bool fired() const noexcept { return state.load(std::memory_order_acquire) == State::Fired; }

  task::Header* task = nullptr;
  Fn fn = nullptr;
  std::atomic<State> state{State::Idle};
  // The timers that hold it; changes when a retiring worker hands them over. Null while Idle.
  std::atomic<Timers*> owner{nullptr};
  const void* firing_thread = nullptr;  // written before Firing, read by cancel() on Firing
  // Guarded by the owner's lock.
  uint64_t tick = 0;
  TimerEntry* next = nullptr;
  TimerEntry* prev = nullptr;
};

}  // namespace zokio::time
