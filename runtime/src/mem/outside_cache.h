// SPDX-License-Identifier: Apache-2.0
#pragma once

// Blocks for threads that are no workers: those that spawn from outside, or give back what workers
// made. The first blocks of a thread come from the central lists. One that goes on gets a cache of
// its own, which is parked between two uses: nobody knows when such a thread does nothing for long,
// and a parked cache can be emptied by who wants memory back.
// Thread: the calling one's.

#include "mem/pool.h"
#include "mem/span.h"

namespace zokio::mem {

FreeBlock* take_outside(PoolId id, unsigned cls, bool may_exceed, Refusal& why,
                        std::size_t asked = 0) noexcept;
void give_outside(PoolId id, unsigned cls, FreeBlock* block) noexcept;

// This thread has a cache that is parked at times: it needs none of this kind.
void has_own_cache() noexcept;
// Whether it ever said so.
bool had_own_cache() noexcept;

}  // namespace zokio::mem
