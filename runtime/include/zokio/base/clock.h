// SPDX-License-Identifier: Apache-2.0
#pragma once

// Time as the runtime sees it: a monotonic instant in nanoseconds.
// Only src/base/env.h reads the system clock, so that a simulation can be the clock.

#include <chrono>
#include <compare>
#include <cstdint>

namespace zokio {

using Duration = std::chrono::nanoseconds;

// A point on the monotonic clock. Instant::never() sorts after every other.
struct Instant {
  int64_t ns = 0;

  static constexpr Instant never() { return {INT64_MAX}; }
  constexpr bool is_never() const { return ns == INT64_MAX; }
  // The monotonic clock now (virtual in a simulation).
  static Instant now() noexcept;

  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }
  // Saturates at never().
  friend constexpr Instant operator+(Instant a, Duration d) {
    int64_t sum;
    if (__builtin_add_overflow(a.ns, d.count(), &sum))
      return d.count() > 0 ? never() : Instant{INT64_MIN};
    return {sum};
  }
};

}  // namespace zokio
