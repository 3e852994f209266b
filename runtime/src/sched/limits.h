// SPDX-License-Identifier: Apache-2.0
#pragma once

// Caps of the scheduler, with reasons.

#include <chrono>
#include <cstdint>

#include "zokio/base/clock.h"

namespace zokio::sched {

// Workers at most. A slot costs a pointer until it is used, then about 10 KiB for good.
inline constexpr unsigned kWorkerSlots = 256;

// Tasks a worker keeps for itself; more spill to the injector, so that one worker cannot hoard.
// A model test explores every interleaving, so there it is as small as the algorithm allows.
#ifdef ZOKIO_MODEL
inline constexpr uint32_t kLocalQueueSlots = 4;
#else
inline constexpr uint32_t kLocalQueueSlots = 256;
#endif
static_assert((kLocalQueueSlots & (kLocalQueueSlots - 1)) == 0, "indices wrap by masking");

// Tasks taken from the injector at once: enough to pay for its lock, few enough to leave some for
// the other workers.
#ifdef ZOKIO_MODEL
inline constexpr uint32_t kInjectBatch = 2;
#else
inline constexpr uint32_t kInjectBatch = 64;
#endif
static_assert(kInjectBatch <= kLocalQueueSlots / 2, "a batch must fit beside what is there");

// Every so many polls a busy worker looks at its reactor and at the injector first. A prime, so
// that it does not fall into step with a program's own period; the number is Tokio's.
inline constexpr uint32_t kMaintenancePolls = 61;

// How long a resize waits for a worker that is inside one task, or a reactor inside one operation.
inline constexpr Duration kRetireDeadline = std::chrono::seconds(10);

// A blocking thread without work ends after this.
inline constexpr Duration kBlockingIdle = std::chrono::seconds(10);

}  // namespace zokio::sched
