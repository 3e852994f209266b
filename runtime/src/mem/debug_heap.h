// SPDX-License-Identifier: Apache-2.0
#pragma once

// Guarded blocks of any pool, for the mode Debug. What a block is like:
//
//   | front, at least 16 bytes | what the program has | guard, at least 16 bytes |
//
// The 16 bytes in front and up to 256 behind hold a pattern that depends on the address.
// Thread: any.

#include <cstddef>

#include "mem/block_records.h"
#include "mem/call_sites.h"
#include "mem/central_list.h"
#include "zokio/mem/pools.h"

namespace zokio::mem::debug {

// Null only for the reason `why`. `zero`: all bytes 0, else none of them is (up to kMaxBlock).
void* take(PoolId id, std::size_t bytes, std::size_t alignment, bool may_exceed, bool zero,
           Refusal& why, const Stack& by) noexcept;

inline constexpr std::size_t kAnySize = SIZE_MAX;
// Null is allowed.
void give(PoolId id, void* p, std::size_t bytes, const Stack& by) noexcept;

// The block's record, of a block in use; anything else is reported as a wrong `what`.
Record record_of(const void* p, const char* what, const Stack& by) noexcept;

// The bytes of the pool that the block at an address holds.
std::size_t held_bytes(const void* p) noexcept;

// Around a fork. Nothing else is locked inside.
void lock() noexcept;
void unlock() noexcept;

// For the reports.
struct Totals {
  uint64_t blocks = 0;
  uint64_t bytes = 0;
};
// Of the blocks in use, by call site and pool: [site * kPools + pool]. Null: no memory.
struct Census {
  Totals* totals = nullptr;
  std::size_t count = 0;
};
Census count_blocks() noexcept;
void free_census(const Census& census) noexcept;
Stack stack_of(uint32_t site) noexcept;
// The block that an address lies in, in use or held back; `user` is null when there is none.
Record record_around(const void* p) noexcept;

// Calls back from atexit() when the environment asks for it.
void report_leaks_at_exit() noexcept;

}  // namespace zokio::mem::debug
