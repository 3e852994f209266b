// SPDX-License-Identifier: Apache-2.0
// The same, compiled for AVX2: all of this file, so it includes nothing with inline functions that
// others share.
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

#include "simd/kernels.h"

namespace zokio::simd {

uint64_t xxh3_avx2(const void* p, std::size_t n, uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(p, n, seed);
}

}  // namespace zokio::simd
