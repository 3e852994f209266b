// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes that say where they belong, for tests of memory and disks: each word of 8 is made of a key
// and its position, so what was moved, torn, or written by another is seen.
// Thread: any.

#include <cstddef>
#include <cstdint>

#include "zokio/base/bytes.h"

namespace zokio::simd {

// What stands at `position`, `position` + 1, ... of the stream that belongs to `key`.
void fill_pattern(MutBytes out, uint64_t key, uint64_t position = 0) noexcept;

inline constexpr std::size_t kIntact = SIZE_MAX;

// The index of a byte that is not as fill_pattern would write it, the first one; kIntact: none.
std::size_t find_damage(Bytes bytes, uint64_t key, uint64_t position = 0) noexcept;

}  // namespace zokio::simd
