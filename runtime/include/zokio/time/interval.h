// SPDX-License-Identifier: Apache-2.0
#pragma once

// A period that ticks: each tick() waits for the next multiple, however long the work between two
// ticks took.
//
//   Interval every = interval(std::chrono::seconds(1));   // the first tick is at once
//   while (...) {
//     ZOKIO_CO_TRY(Instant due, co_await every.tick());
//     ...
//   }
// Thread: one task at a time.

#include "zokio/base/assert.h"
#include "zokio/time/sleep.h"

namespace zokio {

// What follows a tick that was taken late: by more than kMissedAfter, for a tick is never quite
// punctual.
enum class MissedTicks : uint8_t {
  Burst,  // the missed ticks at once, one after the other, until it has caught up
  Delay,  // the next one a period after the late one
  Skip,   // the next one at the next multiple of the period: missed ticks are left out
};

class Interval {
 public:
  static constexpr Duration kMissedAfter = std::chrono::milliseconds(5);

  // The first tick is due at `start`. Requires: period > 0.
  Interval(Instant start, Duration period, MissedTicks missed) noexcept
      : next_(start), period_(period), missed_(missed) {
    ZOKIO_CHECK(period > Duration::zero(), "the period of an interval is positive");
  }

  class [[nodiscard]] Tick : time::Sleep {
   public:
    explicit Tick(Interval& interval) noexcept : Sleep(interval.next_), interval_(interval) {}
    using Sleep::await_ready;
    using Sleep::await_suspend;
    Result<Instant> await_resume() noexcept {
      ZOKIO_CHECKED(Sleep::await_resume());
      return interval_.take_tick(Instant::now());
    }

   private:
    Interval& interval_;
  };

  // Awaits the next tick. Yields the instant at which it was due; Cancelled when the task was asked
  // to stop first, and then the tick is still to come.
  Tick tick() noexcept { return Tick(*this); }

  // The next tick is a period from now.
  void reset() noexcept { next_ = Instant::now() + period_; }
  // The next tick is at `at`.
  void reset_at(Instant at) noexcept { next_ = at; }

  Duration period() const noexcept { return period_; }
  MissedTicks missed_ticks() const noexcept { return missed_; }
  void set_missed_ticks(MissedTicks missed) noexcept { missed_ = missed; }

 private:
  // Moves on from the tick that was due. Returns when it was.
  Instant take_tick(Instant now) noexcept;

  Instant next_;
  Duration period_;
  MissedTicks missed_;
};

// Ticks at once, and then every `period`.
inline Interval interval(Duration period, MissedTicks missed = MissedTicks::Burst) noexcept {
  return {Instant::now(), period, missed};
}
// Ticks at `start`, and then every `period`.
inline Interval interval_at(Instant start, Duration period,
                            MissedTicks missed = MissedTicks::Burst) noexcept {
  return {start, period, missed};
}

}  // namespace zokio
