// SPDX-License-Identifier: Apache-2.0
#pragma once

// The loops over words of the pattern, written so that a compiler makes vectors of them; inlined
// into one function for each instruction set.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/kernels.h"

namespace zokio::simd {

[[gnu::always_inline]] inline void fill_words_loop(uint8_t* p, std::size_t n,
                                                   uint64_t word) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const uint64_t w = word + i * kPatternStep;
    __builtin_memcpy(p + 8 * i, &w, 8);
  }
}

[[gnu::always_inline]] inline std::size_t damaged_word_loop(const uint8_t* p, std::size_t n,
                                                            uint64_t word) noexcept {
  // By blocks: a look at each word would keep the loop from becoming vectors.
  constexpr std::size_t kBlock = 64;
  std::size_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    uint64_t differs = 0;
    for (std::size_t k = 0; k < kBlock; ++k) {
      uint64_t w;
      __builtin_memcpy(&w, p + 8 * (i + k), 8);
      differs |= w ^ (word + (i + k) * kPatternStep);
    }
    if (differs != 0) break;
  }
  for (; i < n; ++i) {
    uint64_t w;
    __builtin_memcpy(&w, p + 8 * i, 8);
    if (w != word + i * kPatternStep) return i;
  }
  return n;
}

}  // namespace zokio::simd
