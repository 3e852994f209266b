// SPDX-License-Identifier: Apache-2.0
#pragma once

// When a failed job is tried again. Thread: pure functions.

#include <cstdint>

#include "model/job.h"

namespace zokiod::jobs {

inline constexpr zokio::Duration kBackoffInitial = std::chrono::seconds(1);
inline constexpr zokio::Duration kBackoffMax = std::chrono::minutes(5);

// Whether an attempt is left after `failures` counted ones.
bool may_retry(const model::RetryPolicy& policy, uint32_t failures);

// The wait before the next attempt: the initial one, doubled for each failure after the first, up
// to the maximum. Requires: failures >= 1.
zokio::Duration backoff(const model::RetryPolicy& policy, uint32_t failures);

// The same less up to an eighth, by the job's id: jobs that failed together do not all come back
// together.
zokio::Duration backoff_of(const model::Job& job);

}  // namespace zokiod::jobs
