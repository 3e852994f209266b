// SPDX-License-Identifier: Apache-2.0
#pragma once

// Help for files that are opened with OpenOptions::direct (O_DIRECT), past the page cache: what the
// device demands of addresses, offsets and lengths, and buffers that meet it.
//
//   ZOKIO_CO_TRY(auto rules, co_await fs::direct_alignment(file));
//   ZOKIO_CO_TRY(auto buffer, fs::lease_direct(256 << 10, rules));
//   IoResult got = co_await file.read_at(std::move(buffer), rules.down(offset));
//
// The end of a file whose size is no multiple of `offset` is read as a short read, and written by
// writing a whole block and resize(). A read or write that breaks the rules is InvalidArgument
// (EINVAL).

#include <cstdint>

#include "zokio/fs/file.h"

namespace zokio::fs {

struct DirectAlignment {
  uint32_t memory = 4096;  // of the buffer's address
  uint32_t offset = 4096;  // of the position and the length

  uint64_t down(uint64_t n) const noexcept { return n - n % offset; }
  uint64_t up(uint64_t n) const noexcept { return down(n + offset - 1); }
};

// What the kernel says (statx, Linux 6.1); before that 4096, which every usual device accepts.
// Errors: Unimplemented (this file cannot be read directly), by errno.
Task<Result<DirectAlignment>> direct_alignment(const File& file);

// A buffer for `rules`: at least `bytes`, rounded up so that reading fills it to its capacity.
// Errors: as mem::lease; InvalidArgument (an alignment that is no power of two, or above 64 KiB).
Result<mem::Buffer> lease_direct(std::size_t bytes, const DirectAlignment& rules);

}  // namespace zokio::fs
