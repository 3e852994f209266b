// SPDX-License-Identifier: Apache-2.0
// XXH3 by the library's header, with the vectors that every processor of this architecture has.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "simd/kernels.h"

namespace zokio::simd {

uint64_t xxh3_plain(const void* p, std::size_t n, uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(p, n, seed);
}

}  // namespace zokio::simd
