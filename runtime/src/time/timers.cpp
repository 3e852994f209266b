// SPDX-License-Identifier: Apache-2.0
#include "time/timers.h"

#include <mutex>

#include "zokio/base/assert.h"
#include "zokio/task/context.h"
#include "zokio/task/header.h"

namespace zokio::time {
namespace {

uint64_t tick_floor(Instant t) noexcept {
  return static_cast<uint64_t>(t.ns > 0 ? t.ns : 0) >> Timers::kTickShift;
}
uint64_t tick_ceil(Instant t) noexcept {
  if (t.is_never()) return Wheel::kNever >> 1;
  return t.ns <= 0 ? 0 : (static_cast<uint64_t>(t.ns - 1) >> Timers::kTickShift) + 1;
}

}  // namespace

Timers::Timers() noexcept {
  wheel_.start_at(tick_floor(Instant::now()));
}

void Timers::publish() noexcept {
  const uint64_t tick = wheel_.next_tick();
  const bool none = tick >= (uint64_t{1} << (63 - kTickShift));
  next_ns_.store(none ? INT64_MAX : static_cast<int64_t>(tick << kTickShift),
                 std::memory_order_relaxed);
  pending_.store(wheel_.size(), std::memory_order_relaxed);
}

void Timers::arm(TimerEntry* entry, Instant deadline) noexcept {
  std::scoped_lock guard(lock_);
  ZOKIO_DCHECK(entry->state.load(std::memory_order_relaxed) == TimerEntry::State::Idle,
               "a timer is armed once at a time");
  entry->tick = tick_ceil(deadline);
  entry->owner.store(this, std::memory_order_relaxed);
  entry->state.store(TimerEntry::State::Armed, std::memory_order_release);
  wheel_.insert(entry);
  publish();
}

unsigned Timers::expire(Instant now) noexcept {
  if (next_deadline() > now) return 0;
  unsigned fired = 0;
  TimerEntry* due;
  {
    std::scoped_lock guard(lock_);
    due = wheel_.advance(tick_floor(now));
    for (TimerEntry* entry = due; entry != nullptr; entry = entry->next) {
      entry->firing_thread = &task::context();
      entry->state.store(TimerEntry::State::Firing, std::memory_order_release);
    }
    publish();
  }
  while (due != nullptr) {
    TimerEntry* entry = due;
    due = entry->next;
    ++fired;
    if (entry->task != nullptr) {
      // Read first: Fired is the last touch of an entry, its owner may drop it at once.
      task::Header* task = entry->task;
      entry->state.store(TimerEntry::State::Fired, std::memory_order_release);
      task::wake(task);
    } else {
      entry->fn(entry);
      entry->state.store(TimerEntry::State::Fired, std::memory_order_release);
    }
  }
  return fired;
}

uint64_t Timers::move_to(Timers& to) noexcept {
  // Two locks in the order of their addresses, so that two hand-overs cannot wait for each other.
  SpinLock& first = this < &to ? lock_ : to.lock_;
  SpinLock& second = this < &to ? to.lock_ : lock_;
  std::scoped_lock outer(first);
  std::scoped_lock inner(second);
  uint64_t moved = 0;
  for (TimerEntry* entry = wheel_.take_all(); entry != nullptr;) {
    TimerEntry* following = entry->next;
    entry->next = nullptr;
    entry->owner.store(&to, std::memory_order_release);
    to.wheel_.insert(entry);
    ++moved;
    entry = following;
  }
  publish();
  to.publish();
  return moved;
}

void TimerEntry::arm(Instant deadline) noexcept {
  Timers* timers = task::context().timers;
  ZOKIO_CHECK(timers != nullptr, "timers are armed on a worker of a runtime");
  timers->arm(this, deadline);
}

bool TimerEntry::cancel() noexcept {
  for (int spins = 0;; ++spins) {
    const State now = state.load(std::memory_order_acquire);
    if (now == State::Idle) return true;
    if (now == State::Fired) return false;
    if (now == State::Firing) {
      // The callback runs on another thread, or it is the one that cancels.
      if (firing_thread == &task::context()) return false;
      spin_pause(spins);
      continue;
    }
    Timers* timers = owner.load(std::memory_order_acquire);
    std::scoped_lock guard(timers->lock_);
    // Handed over or fired since: look again.
    if (owner.load(std::memory_order_relaxed) != timers ||
        state.load(std::memory_order_relaxed) != State::Armed)
      continue;
    timers->wheel_.remove(this);
    timers->publish();
    state.store(State::Idle, std::memory_order_relaxed);
    return true;
  }
}

}  // namespace zokio::time
