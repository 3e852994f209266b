// SPDX-License-Identifier: Apache-2.0
#pragma once

// Buffers that io_uring knows beforehand, so that a read or write of a file past the page cache
// need not pin their pages each time.
//
// They are blocks of 64 KiB of one slab of 4 MiB for the process, which is mapped with the first
// lease and stays. A ring takes it in when it first meets one of its buffers, and pins its pages;
// where that is refused (RLIMIT_MEMLOCK), under epoll, and for sockets, the same buffers are used
// in the plain way: ReactorSnapshot::registered_buffers says which, and why. Thread: any.

#include <cstddef>

#include "zokio/base/bytes.h"
#include "zokio/base/result.h"
#include "zokio/mem/buffer.h"

namespace zokio::mem {

inline constexpr std::size_t kRegisteredBlock = std::size_t{64} << 10;
inline constexpr std::size_t kRegisteredBytes = std::size_t{4} << 20;

// As lease(), from the slab while it has a free block and `bytes` are at most kRegisteredBlock;
// otherwise a plain lease. The limit of the pool "registered" is on what is leased of the slab.
// Errors: as lease().
Result<Buffer> lease_registered(std::size_t bytes);

// Whether `p` lies in the slab.
bool is_registered(const void* p) noexcept;

// For the rings. Empty before the first lease.
MutBytes registered_slab() noexcept;

}  // namespace zokio::mem
