// SPDX-License-Identifier: Apache-2.0
#pragma once

// A small generator with an explicit seed, for choices that need no quality, only spread.
// Source: xorshift64* (Marsaglia; Vigna). Thread: one owner.

#include <cstdint>

namespace zokio {

class Rng {
 public:
  explicit Rng(uint64_t seed = 0x9e3779b97f4a7c15)
      : state_(seed != 0 ? seed : 0x9e3779b97f4a7c15) {}

  uint64_t next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1d;
  }

  // A number below n; the bias for small n is far below what a scheduler could notice.
  uint32_t below(uint32_t n) noexcept { return static_cast<uint32_t>(((next() >> 32) * n) >> 32); }

 private:
  uint64_t state_;
};

}  // namespace zokio
