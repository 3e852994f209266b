// SPDX-License-Identifier: Apache-2.0
#include "sched/parker.h"

#include "io/reactor.h"
#include "os/futex.h"

namespace zokio::sched {

void Parker::park(Instant deadline) noexcept {
  io::Reactor* reactor = reactor_.load(std::memory_order_relaxed);
  if (lie_down()) {
    if (reactor != nullptr)
      reactor->turn(deadline);
    else
      os::futex_wait(state_, kFutex, deadline);
  } else if (reactor != nullptr) {
    reactor->poll();  // woken already: still fetch what completed
  }
  get_up();
}

bool Parker::lie_down() noexcept {
  uint32_t expected = kAwake;
  const bool reactor = reactor_.load(std::memory_order_relaxed) != nullptr;
  return state_.compare_exchange_strong(expected, reactor ? kReactor : kFutex,
                                        std::memory_order_acq_rel);
}

void Parker::get_up() noexcept {
  uint32_t seen = state_.load(std::memory_order_relaxed);
  while (true) {
    const bool held = seen == kHeld || seen == kAwaited;
    const uint32_t next = held ? kAwaited : kAwake;
    if (!state_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
      continue;
    if (!held) return;
    os::futex_wait(state_, kAwaited, Instant::never());
    seen = state_.load(std::memory_order_relaxed);
  }
}

bool Parker::hold() noexcept {
  uint32_t expected = kFutex;
  return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acq_rel);
}

void Parker::let_go(bool wake) noexcept {
  const uint32_t before = state_.exchange(wake ? kNotified : kFutex, std::memory_order_acq_rel);
  if (wake || before == kAwaited) os::futex_wake(state_, 1);
}

void Parker::unpark() noexcept {
  uint32_t seen = state_.load(std::memory_order_relaxed);
  do {
    if (seen == kHeld || seen == kAwaited) return;
  } while (!state_.compare_exchange_weak(seen, kNotified, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  switch (seen) {
    case kFutex:
      os::futex_wake(state_, 1);
      break;
    case kReactor:
      if (io::Reactor* reactor = reactor_.load(std::memory_order_acquire)) reactor->wake();
      break;
    default:
      break;
  }
}

}  // namespace zokio::sched
