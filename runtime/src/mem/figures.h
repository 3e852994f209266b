// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the central lists of a pool counted, and what follows from it, for its snapshot.
// Thread: any; takes each list's lock for a moment.

#include "mem/pool.h"
#include "mem/thread_cache.h"
#include "zokio/stats/snapshot.h"

namespace zokio::mem {

// Adds to a snapshot with the figures of usage() what is by class: everything from `refills` on.
void add_class_figures(Pool& pool, PoolSnapshot& out);

}  // namespace zokio::mem
