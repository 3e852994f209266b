// SPDX-License-Identifier: Apache-2.0
#pragma once

// The stacks of fibers: figures and cap. One pool for the process. Thread: any.

#include <cstdint>

#include "zokio/base/result.h"

namespace zokio::fibers {

// Bytes are sizes of stacks without their guards: an upper bound of what is resident.
struct StackSnapshot {
  uint64_t in_use = 0;
  uint64_t cached = 0;
  uint64_t high_water = 0;  // most in use at one time
  uint64_t created = 0;     // ever mapped
  uint64_t reused = 0;      // served from the cache
  uint64_t in_use_bytes = 0;
  uint64_t cached_bytes = 0;
  uint64_t high_water_bytes = 0;  // most held at one time, in use and cached
  uint64_t limit_bytes = 0;       // 0: none
  uint64_t released_bytes = 0;    // resident bytes given back to the system
  uint64_t failures_limit = 0;
  uint64_t failures_os = 0;
};

StackSnapshot stack_snapshot() noexcept;

// The cap on stacks in use and cached; 0: none. Cached stacks above it are unmapped at once, those
// in use when they come back.
// Errors: FailedPrecondition/Limit (below the bytes in use, no force); then nothing changed.
Result<void> set_stack_limit(uint64_t bytes, bool force = false) noexcept;

// Puts this pool beside those of zokio/mem/pools.h under the name "stacks": in their figures, in
// set_limit and in trim. A runtime does it when it is made. Stacks are counted with their size, of
// which only the pages that were touched are resident, so they do not count against the limit of
// all pools.
void show_stacks() noexcept;

// Unmaps every cached stack; the resident bytes that were released.
uint64_t trim_stacks() noexcept;

}  // namespace zokio::fibers
