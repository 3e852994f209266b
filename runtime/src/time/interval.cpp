// SPDX-License-Identifier: Apache-2.0
#include "zokio/time/interval.h"

namespace zokio {

Instant Interval::take_tick(Instant now) noexcept {
  const Instant due = next_;
  next_ = due + period_;
  const Duration late = now - due;
  if (late <= kMissedAfter) return due;
  switch (missed_) {
    case MissedTicks::Burst:
      break;
    case MissedTicks::Delay:
      next_ = now + period_;
      break;
    case MissedTicks::Skip:
      next_ = now + (period_ - late % period_);
      break;
  }
  return due;
}

}  // namespace zokio
