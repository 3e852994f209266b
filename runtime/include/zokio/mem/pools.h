// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pools of the process, their figures and their caps. Process-wide: several runtimes share
// them. Thread: any.

#include <cstdint>
#include <string_view>
#include <vector>

#include "zokio/base/clock.h"
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

// What happens to a request for which a limit leaves no room.
//   Fail      it fails: ResourceExhausted/Limit, or null.
//   Wait      lease_async (zokio/lease.h) waits until there is room; everything else fails.
//   Overflow  it is served from fresh memory all the same, and counted; the pool is `shrinking`
//             until the excess was freed.
// "buffers" can have all three; "heap" cannot wait, because who allocates there cannot be
// suspended; "frames" can only overflow, because a program cannot stop where it starts a coroutine.
enum class WhenFull : uint8_t { Fail, Wait, Overflow };
// "fail", "wait", "overflow".
std::string_view when_full_name(WhenFull policy) noexcept;
// Errors: NotFound.
Result<WhenFull> find_when_full(std::string_view name);

// What may be kept free, in bytes; 0: the pool decides by itself (docs/memory.md), 1: nothing.
struct PoolSettings {
  uint64_t thread_cache_bytes = 0;   // by the cache of each thread, all sizes together
  uint64_t central_cache_bytes = 0;  // by the pool, for all threads
  WhenFull when_full = WhenFull::Fail;
  friend bool operator==(const PoolSettings&, const PoolSettings&) = default;
};
PoolSettings settings(PoolId pool) noexcept;
// Immediate; what is kept above it is given back, by running threads at their next free or refill.
// Errors: NotFound (no such pool), InvalidArgument (a policy that the pool cannot have).
Result<void> set_settings(std::string_view pool, const PoolSettings& settings);
// What set_settings would say; changes nothing.
Result<void> check_settings(std::string_view pool, const PoolSettings& settings);

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

// What set_total_limit would say; changes nothing.
Result<void> check_total_limit(uint64_t bytes, bool force = false);

// Of all pools together.
MemorySnapshot memory_snapshot();

// Memory that is kept free and that nobody has needed for this long goes back to the system, the
// first of it after a tenth of the time. 0: only trim() and limits give it back.
inline constexpr Duration kDefaultDecay = std::chrono::seconds(10);
void set_decay(Duration time) noexcept;
Duration decay() noexcept;
// What decay has to do at `now`, at most some hundred microseconds of it; when to call it next,
// never() when nothing is left that could go. A runtime with threads calls it by itself; who has
// none may do so now and then. Several may call it: one works, the others return.
Instant tend(Instant now) noexcept;

// The system is short of memory: gives back what is cached, and keeps caches small until it is said
// to be over. Each call with true trims. Returns the resident bytes that were released.
uint64_t set_pressure(bool short_of_memory);

// Whether objects above 1 MiB that are mapped from now on ask the kernel for huge pages: faster to
// fill, and whole 2 MiB become resident at the first use. Default: no.
void set_huge_pages(bool wanted) noexcept;
bool huge_pages() noexcept;

// Gives cached blocks back to the system: those of the central lists, of this thread's cache and of
// parked caches now; busy threads give theirs to the central lists at their next free or refill.
// Returns the resident bytes that were released.
uint64_t trim();

}  // namespace zokio::mem
