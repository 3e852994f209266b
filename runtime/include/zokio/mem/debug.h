// SPDX-License-Identifier: Apache-2.0
#pragma once

// The heap of the mode Debug. It is here in every mode, for a program that wants only a part of its
// memory watched; in a build of that mode it is what zokio::mem::allocate(), coroutine frames and
// leased buffers come from.
//
// Each block lies between two guards and is filled when it is allocated and when it is freed. A
// freed one is held back, the oldest first to go, until more than a quarantine's bytes are freed.
// An error ends the process with one message: what, which block, and where it was allocated and
// freed. Found are, when the block is freed: a write of any length in front of or behind the bytes
// asked for, a second free, a free of what is no block, with another size than it was allocated
// with, or to another pool; and when it leaves the quarantine: a write after the free.
//
// ZOKIO_MEMORY_QUARANTINE=<bytes>   16 MiB if it is not set; read once
// ZOKIO_MEMORY_LEAKS=1              writes the report of live blocks to standard error at the exit
//
// Thread: any; one lock for the records of all blocks.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "zokio/mem/pools.h"
#include "zokio/mem/size_class.h"

namespace zokio::mem::debug {

// As zokio::mem::allocate() and its relatives. Alignments up to 4 MiB; null also above.
void* allocate(std::size_t bytes, std::size_t alignment = kAlignment) noexcept;
void* allocate_zeroed(std::size_t bytes) noexcept;
// Moves the block each time, so that who keeps the old address is found.
void* reallocate(void* p, std::size_t bytes) noexcept;
void deallocate(void* p) noexcept;
// Requires: `bytes` is what was asked for.
void deallocate(void* p, std::size_t bytes) noexcept;
// Exactly what was asked for.
std::size_t usable_size(const void* p) noexcept;

// Callers of the allocation, innermost first, as far as they keep frame pointers.
inline constexpr unsigned kSiteFrames = 10;
struct LiveSite {
  PoolId pool = PoolId::Heap;
  uint64_t blocks = 0;
  uint64_t bytes = 0;  // that were asked for
  unsigned depth = 0;
  std::array<void*, kSiteFrames> frames{};
};

// The blocks that are in use, by who allocated them, most bytes first. What should be none of them
// is a leak.
std::vector<LiveSite> leak_report();
// The same as text, the 40 largest. Allocates nothing.
void write_leak_report(int file) noexcept;

// Looks at the guards of all blocks and at all that is held back. Requires: nobody frees meanwhile.
void check_all() noexcept;

// Frees what is held back, after a look at it.
void empty_quarantine() noexcept;

}  // namespace zokio::mem::debug
