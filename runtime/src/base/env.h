// SPDX-License-Identifier: Apache-2.0
#pragma once

// The environment seam: everything that makes one run differ from another goes through here, so
// that the whole runtime can be replayed on one thread from a seed.
//
// In a production build each function is the real thing, inline. In a simulation build (ZOKIO_SIM)
// each asks the Oracle of the run. No other file of the runtime reads a clock or makes a random
// choice; tests/tidy checks that.

#include <cstdint>

#include "base/rng.h"
#include "zokio/base/clock.h"

namespace zokio::env {

// Where the scheduler may go either way. The name is part of a simulation's trace.
enum class Choice : uint8_t {
  StealVictim,  // which worker to look at first
  StealCount,   // how many to take of what may be taken
  WakeTarget,   // which sleeping worker to wake
  NextWorker,   // simulation: which worker takes the next step
  WakeWorth,    // whether a backlog is worth a wake-up
};

// What may fail although the program is right.
enum class Fault : uint8_t {
  ThreadStart,  // pthread_create says EAGAIN
};

#ifdef ZOKIO_SIM

class Oracle {
 public:
  virtual int64_t now_ns() noexcept = 0;
  // A number below n. Requires: n > 0.
  virtual uint32_t choose(Choice what, uint32_t n) noexcept = 0;
  virtual bool fault(Fault what) noexcept = 0;
  // Takes a call that may block, to run it later. False: it is run at once.
  virtual bool later(void (*)(void*), void*) noexcept { return false; }

 protected:
  ~Oracle() = default;
};

// Thread: simulations are single-threaded. Null: a default oracle (real clock, no faults, choice
// 0).
void set_oracle(Oracle* oracle) noexcept;
int64_t now_ns() noexcept;
uint32_t choose(Choice what, uint32_t n, Rng& rng) noexcept;
bool fault(Fault what) noexcept;
bool later(void (*call)(void*), void* argument) noexcept;

#else

int64_t now_ns() noexcept;
inline uint32_t choose(Choice, uint32_t n, Rng& rng) noexcept {
  return rng.below(n);
}
inline constexpr bool fault(Fault) noexcept {
  return false;
}

#endif

// A seed for what was not given one: different in each run. Zero never comes out.
uint64_t fresh_seed() noexcept;

}  // namespace zokio::env
