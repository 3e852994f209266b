// SPDX-License-Identifier: Apache-2.0
#pragma once

// Caps of the scheduler, with reasons.

#include <chrono>
#include <cstdint>

#include "zokio/base/clock.h"

namespace zokio::sched {

// Workers at most. A slot costs a pointer until it is used, then about 14 KiB for good.
#ifdef ZOKIO_MODEL
inline constexpr unsigned kWorkerSlots = 4;
#else
inline constexpr unsigned kWorkerSlots = 256;
#endif

// Tasks a worker keeps for itself; more spill to its overflow queue.
// A model test explores every interleaving, so there it is as small as the algorithm allows.
#ifdef ZOKIO_MODEL
inline constexpr uint32_t kLocalQueueSlots = 4;
#else
inline constexpr uint32_t kLocalQueueSlots = 256;
#endif
static_assert((kLocalQueueSlots & (kLocalQueueSlots - 1)) == 0, "indices wrap by masking");

// A busy worker looks at its other duties (timers, reactor, tasks from outside, orders) so often:
// every kMaintainEvery of work, measured in polls by their average, and at least every
// kMaintainPolls. So an outside task waits behind a worker's own ones for at most one such interval
// or one poll, whichever is longer.
inline constexpr Duration kMaintainEvery = std::chrono::microseconds(40);
#ifdef ZOKIO_MODEL
inline constexpr uint32_t kMaintainPolls = 2;
#else
inline constexpr uint32_t kMaintainPolls = 512;
#endif
// The reactor costs a system call on some backends, so not with every maintenance. And while what
// was ready at the last look has not all run, not before kPollIoLatest: what it brings would stand
// behind that, and what is asked of the kernel in one call, or told by it, would be less each time.
inline constexpr Duration kPollIoEvery = std::chrono::microseconds(25);
inline constexpr Duration kPollIoLatest = std::chrono::microseconds(250);
// What completed stays with the reactor, in its order, while there is no room for it in the own
// queue: but for so many at a time, so that tasks that keep the queue full do not keep I/O out.
inline constexpr uint32_t kLeastIo = 16;

// A task from outside interrupts a worker that is awake at most so often; others come with the next
// maintenance, which is as soon, and not more than so many polls away should the average be wrong.
inline constexpr Duration kOutsideEvery = std::chrono::microseconds(5);
inline constexpr uint32_t kOutsidePolls = 64;
// Tasks from outside with less between them are a stream, which is taken by the bag; pauses that a
// worker waits for a bag to fill, some 20 ns each.
inline constexpr Duration kStreamGap = std::chrono::microseconds(1);
inline constexpr uint64_t kFillPauses = 64;

// Waking a worker costs its waker 2 to 5 us and reaches the other core after about 20: work that is
// done before that is not worth it. Backlog (tasks times their average poll) above which it is.
inline constexpr Duration kWakeWorth = std::chrono::microseconds(20);

// Times in a row that the newest task goes first while older ones wait. Tokio's is 3; a pair of
// tasks that talk to each other profits up to here, by measure.
inline constexpr uint32_t kLifoBudget = 16;

// One in so many tasks has its way from ready to running measured.
inline constexpr uint32_t kProbeEvery = 64;

// How long a resize waits for a worker that is inside one task, or a reactor inside one operation.
inline constexpr Duration kRetireDeadline = std::chrono::seconds(10);

// The thread of a worker that retired waits so long for the slot to be used again; of more than so
// many, some end at once. One costs some 40 KiB: its stacks as far as they were touched (the
// kernel's is 16 KiB) and an empty memory cache.
inline constexpr Duration kThreadKept = std::chrono::seconds(10);
inline constexpr unsigned kThreadsKept = 32;
// They end one by one, this far apart: the end of a thread unmaps memory, which stops all others
// for a moment.
inline constexpr Duration kThreadEndsEvery = std::chrono::milliseconds(10);

// How long the control strand waits for a worker that stood in for a stuck one. Others' resizes
// wait meanwhile.
inline constexpr Duration kExtraRetires = std::chrono::milliseconds(100);

// A blocking thread without work ends after this.
inline constexpr Duration kBlockingIdle = std::chrono::seconds(10);

}  // namespace zokio::sched
