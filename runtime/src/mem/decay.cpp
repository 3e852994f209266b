// SPDX-License-Identifier: Apache-2.0
// Decay: what nobody has needed for a while goes back to the system, a part at a time, by whoever
// calls tend().

#include "mem/decay.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "mem/pool.h"
#include "mem/thread_cache.h"

namespace zokio::mem {
namespace {

// By one call: some hundred microseconds of system calls.
constexpr uint64_t kPartBytes = uint64_t{4} << 20;
// Who calls cannot wait for less than the kernel's own timers can tell apart.
constexpr int64_t kShortestStepNs = 1'000'000;

constinit std::atomic<int64_t> decay_time_ns{kDefaultDecay.count()};

constinit std::mutex decay_mutex;
// Guarded by decay_mutex.
struct Round {
  unsigned place = kPools * Pool::kDecayPlaces;  // the next to look at; the last: the step is done
  bool begun = false;                            // of that place
  bool waiting = false;                          // something could go in a later step
  Instant next{0};                               // when the next step ends
};
constinit Round round;

int64_t step_ns() noexcept {
  const int64_t decay = decay_time_ns.load(std::memory_order_relaxed);
  return decay == 0 ? 0 : std::max(decay / IdleBytes::kSteps, kShortestStepNs);
}

// False when there is more than fits into one call.
bool go_on() noexcept {
  uint64_t left = kPartBytes;
  for (; round.place < kPools * Pool::kDecayPlaces; ++round.place, round.begun = false) {
    Pool& p = pool(round.place / Pool::kDecayPlaces);
    const unsigned place = round.place % Pool::kDecayPlaces;
    Decayed part;
    do {
      if (left == 0) return false;
      part = p.decay(place, !std::exchange(round.begun, true), left);
      left -= std::min(left, std::max<uint64_t>(part.released, kSlotBytes * part.more));
    } while (part.more);
    round.waiting |= !part.settled;
  }
  return true;
}

}  // namespace

Instant tend(Instant now) noexcept {
  const int64_t step = step_ns();
  if (step == 0) return Instant::never();
  const std::unique_lock lock(decay_mutex, std::try_to_lock);
  if (!lock.owns_lock()) return now + Duration(step);
  if (round.place == kPools * Pool::kDecayPlaces) {
    // A shorter time that was set meanwhile counts at once.
    if (now < round.next && round.next - now <= Duration(step)) return round.next;
    round = {
        .place = 0, .waiting = age_parked_caches(IdleBytes::kSteps), .next = now + Duration(step)};
  }
  if (!go_on()) return now;
  return round.waiting ? round.next : Instant::never();
}

void set_decay(Duration time) noexcept {
  decay_time_ns.store(std::max<int64_t>(time.count(), 0), std::memory_order_relaxed);
}

Duration decay() noexcept {
  return Duration(decay_time_ns.load(std::memory_order_relaxed));
}

void lock_decay() noexcept {
  decay_mutex.lock();
}
void unlock_decay() noexcept {
  decay_mutex.unlock();
}

}  // namespace zokio::mem
