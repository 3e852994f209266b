// SPDX-License-Identifier: Apache-2.0
#include "zokio/time/interval.h"

namespace zokio::time {

Instant tick_after(Instant due, Instant now, Duration period, MissedTicks missed) noexcept {
  const Duration late = now - due;
  if (late <= kMissedAfter) return due + period;
  switch (missed) {
    case MissedTicks::Burst:
      return due + period;
    case MissedTicks::Delay:
      return now + period;
    case MissedTicks::Skip:
      return now + (period - late % period);
  }
  ZOKIO_PANIC("a policy for missed ticks is one of three");
}

}  // namespace zokio::time
