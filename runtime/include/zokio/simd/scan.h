// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where delimiters are, many at a time, and how often each byte occurs. For one place,
// std::memchr is as good.
// Thread: any.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "zokio/base/assert.h"
#include "zokio/base/bytes.h"

namespace zokio::simd {

// One to four bytes that are looked for at once.
class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view bytes) noexcept {
    ZOKIO_CHECK(!bytes.empty() && bytes.size() <= bytes_.size(), "a set of one to four bytes");
    // The places that are over repeat the first.
    for (std::size_t i = 0; i < bytes_.size(); ++i)
      bytes_[i] = static_cast<uint8_t>(bytes[i < bytes.size() ? i : 0]);
  }
  constexpr const std::array<uint8_t, 4>& bytes() const noexcept { return bytes_; }

 private:
  std::array<uint8_t, 4> bytes_{};
};

struct ScanResult {
  std::size_t count = 0;    // places written
  std::size_t scanned = 0;  // bytes that need not be looked at again
};

// The places of all bytes of `set`, ascending, until `out` is full, the bytes end, or 4 GiB were
// seen; `scanned` tells where to go on.
ScanResult find_bytes(Bytes bytes, ByteSet set, std::span<uint32_t> out) noexcept;

// The places of "\r\n". A "\r" at the very end is not scanned: what follows decides.
ScanResult find_crlf(Bytes bytes, std::span<uint32_t> out) noexcept;

// Adds to `counts` how often each byte occurs.
void count_bytes(Bytes bytes, std::span<uint64_t, 256> counts) noexcept;

}  // namespace zokio::simd
