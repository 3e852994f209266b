// SPDX-License-Identifier: Apache-2.0
#pragma once

// How one worker sleeps and is woken: in its reactor when it hosts one, on a futex otherwise.
// A wake-up before the sleep is kept, so it is never lost; several are one.
//
// The control strand may hold a worker that sleeps on the futex: it does not get out of park()
// meanwhile, so the strand may do with what it owns what it would do itself, without the 20 us and
// the processor that waking it for that would take.

#include "zokio/base/atomic.h"
#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"

namespace zokio::io {
class Reactor;
}

namespace zokio::sched {

class Parker : Pinned {
 public:
  // Sleeps until unpark(), a completion of the reactor, or the deadline. Thread: owner.
  void park(Instant deadline) noexcept;
  // Thread: any. While the worker is held it does nothing: see hold().
  void unpark() noexcept;

  // The two halves of park(), for who sleeps in its own way in between (a simulation).
  // False: a wake-up is waiting. Thread: owner.
  bool lie_down() noexcept;
  void get_up() noexcept;

  // True: the owner sleeps on the futex and stays there until let_go(). A wake-up that came
  // meanwhile is dropped: whoever holds finds out whether one was due (Idle::wake_up) and lets go
  // with `wake`. Thread: the control strand.
  bool hold() noexcept;
  void let_go(bool wake) noexcept;

  // The reactor to sleep in; null: the futex. Thread: owner.
  void set_reactor(io::Reactor* reactor) noexcept {
    reactor_.store(reactor, std::memory_order_release);
  }

  // Whether a wake-up is waiting. Thread: any.
  bool notified() const noexcept { return state_.load(std::memory_order_acquire) == kNotified; }
  // Takes a wake-up that is waiting; the caller looks at everything afterwards, as after a sleep.
  // Thread: owner, awake.
  bool take_notification() noexcept {
    return notified() && state_.exchange(kAwake, std::memory_order_acq_rel) == kNotified;
  }

 private:
  // kAwake -> kFutex | kReactor by the owner; any -> kNotified by unpark(); back by the owner.
  // kFutex -> kHeld by hold(); -> kAwaited by the owner, who woke and waits for let_go().
  enum : uint32_t { kAwake, kFutex, kReactor, kNotified, kHeld, kAwaited };

  // Ordering: acq_rel on every change, so that what happened before unpark() is seen after park(),
  // and what either did before it left the other alone is seen by that.
  Atomic<uint32_t> state_{kAwake};
  // Reactors live as long as their driver, and waking one that is closed does nothing.
  Atomic<io::Reactor*> reactor_{nullptr};
};

}  // namespace zokio::sched
