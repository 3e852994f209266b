// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sums over bytes. Which instructions are used is chosen once, when the first kernel is called.
// Thread: any.

#include <cstdint>

#include "zokio/base/bytes.h"

namespace zokio::simd {

// CRC-32C (Castagnoli; iSCSI, ext4). With the sum of what came before as `before` it goes on:
// crc32c(b, crc32c(a)) is that of a and b together. For errors of transport and disk.
uint32_t crc32c(Bytes bytes, uint32_t before = 0) noexcept;

// XXH3, 64 bits: the same values as the library's. For tables and comparisons, not against
// somebody who wants a collision.
uint64_t xxh3(Bytes bytes, uint64_t seed = 0) noexcept;

}  // namespace zokio::simd
