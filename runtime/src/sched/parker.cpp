// SPDX-License-Identifier: Apache-2.0
#include "sched/parker.h"

#include "io/reactor.h"
#include "os/futex.h"

namespace zokio::sched {

void Parker::park(Instant deadline) noexcept {
  io::Reactor* reactor = reactor_.load(std::memory_order_relaxed);
  uint32_t expected = kAwake;
  const uint32_t sleeping = reactor != nullptr ? kReactor : kFutex;
  if (state_.compare_exchange_strong(expected, sleeping, std::memory_order_acq_rel)) {
    if (reactor != nullptr)
      reactor->turn(deadline);
    else
      os::futex_wait(state_, kFutex, deadline);
  } else if (reactor != nullptr) {
    reactor->poll();  // woken already: still fetch what completed
  }
  state_.exchange(kAwake, std::memory_order_acq_rel);
}

void Parker::unpark() noexcept {
  switch (state_.exchange(kNotified, std::memory_order_acq_rel)) {
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
