// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pools of the process, their figures and their caps. Process-wide: several runtimes share
// them. Thread: any.

#include <cstdint>
#include <string_view>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/stats/snapshot.h"

namespace zokio::mem {

enum class PoolId : uint8_t { Frames, Buffers, Heap };
inline constexpr unsigned kPools = 3;

// "frames", "buffers", "heap".
std::string_view pool_name(PoolId pool) noexcept;
// Errors: NotFound.
Result<PoolId> find_pool(std::string_view name);

PoolSnapshot snapshot(PoolId pool);
// Of all pools, and of those that other modules keep: "stacks", which set_limit and check_limit
// know as well (zokio/fiber/stacks.h).
std::vector<PoolSnapshot> snapshots();
// The classes that ever had blocks, from the smallest on.
std::vector<ClassSnapshot> class_snapshots(PoolId pool);

// What a change of a limit did.
struct LimitReport {
  uint64_t from = 0;  // the limit before; 0: none
  uint64_t requested = 0;
  uint64_t held_bytes = 0;      // in use and cached, when the call returned
  uint64_t released_bytes = 0;  // given back to the system by this call
  uint64_t residual_bytes = 0;  // still above the limit; 0 when it is reached
};

// The limit of a pool in bytes, in use and cached; 0 means none. Immediate: from now on no fresh
// memory is taken above it, and cached blocks are given back. With `force` a limit below the bytes
// in use is taken too; the pool is `shrinking` until enough blocks were freed.
// Errors: NotFound (no such pool), FailedPrecondition/Limit (below the bytes in use, no force).
Result<LimitReport> set_limit(std::string_view pool, uint64_t bytes, bool force = false);
// What set_limit would say; changes nothing.
Result<void> check_limit(std::string_view pool, uint64_t bytes, bool force = false);

// The same for all pools together.
Result<LimitReport> set_total_limit(uint64_t bytes, bool force = false);
uint64_t total_limit() noexcept;

// Gives cached blocks back to the system: those of the central lists, of this thread's cache and of
// parked caches now; busy threads give theirs to the central lists at their next free or refill.
// Returns the resident bytes that were released.
uint64_t trim();

}  // namespace zokio::mem
