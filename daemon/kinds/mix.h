// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reproducible numbers for synthetic work. Thread: pure functions.

#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace zokiod::kinds {

// The finaliser of SplitMix64: every bit of the input changes half of the output.
constexpr uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ x >> 27) * 0x94D049BB133111EBull;
  return x ^ x >> 31;
}
constexpr uint64_t mix(uint64_t seed, uint64_t index) {
  return mix(seed ^ mix(index));
}

inline std::string checksum_text(uint64_t sum) {
  return fmt::format("{:016x}", sum);
}

}  // namespace zokiod::kinds
