// SPDX-License-Identifier: Apache-2.0
#pragma once

// From a size to its class and back: 16-byte steps up to 128 bytes, then four classes per power of
// two up to 1 MiB, so that a block is at most a quarter larger than what was asked for (from 65
// bytes on). Larger objects are mapped one by one. Arithmetic only, no table: no cache line needed.

#include <algorithm>
#include <bit>
#include <cstddef>

namespace zokio::mem {

inline constexpr std::size_t kAlignment = 16;
inline constexpr std::size_t kFineLimit = 128;
inline constexpr unsigned kFineClasses = kFineLimit / kAlignment;
inline constexpr std::size_t kMaxBlock = std::size_t{1} << 20;
inline constexpr unsigned kClasses = kFineClasses + 4 * 13;  // 2^7 to 2^20

// A span is a run of these; spans of blocks above kMaxShared hold one block each, so that such a
// block can go back to the system whatever its neighbours do.
inline constexpr std::size_t kSlotBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxShared = std::size_t{8} << 10;

// Requires: bytes <= kMaxBlock. 0 counts as 1.
constexpr unsigned class_of(std::size_t bytes) noexcept {
  if (bytes <= kFineLimit) {
    return bytes == 0 ? 0 : static_cast<unsigned>((bytes - 1) / kAlignment);
  }
  const unsigned power = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;
  return kFineClasses + (power - 7) * 4 + static_cast<unsigned>((bytes - 1) >> (power - 2) & 3);
}

// Requires: cls < kClasses.
constexpr std::size_t class_bytes(unsigned cls) noexcept {
  if (cls < kFineClasses) return (cls + 1) * kAlignment;
  const unsigned step = (cls - kFineClasses) % 4;
  return std::size_t{5 + step} << ((cls - kFineClasses) / 4 + 5);
}
static_assert(class_bytes(kClasses - 1) == kMaxBlock && class_of(kMaxBlock) == kClasses - 1);

constexpr unsigned span_slots(unsigned cls) noexcept {
  return static_cast<unsigned>((class_bytes(cls) + kSlotBytes - 1) / kSlotBytes);
}
constexpr unsigned span_blocks(unsigned cls) noexcept {
  return class_bytes(cls) > kMaxShared ? 1u : static_cast<unsigned>(kSlotBytes / class_bytes(cls));
}

// Blocks a thread keeps of one class: at most 64, at most 128 KiB, none above 64 KiB.
constexpr unsigned magazine_capacity(unsigned cls) noexcept {
  const std::size_t bytes = class_bytes(cls);
  if (bytes > kSlotBytes) return 0;
  return static_cast<unsigned>(std::min<std::size_t>(64, 2 * kSlotBytes / bytes));
}

}  // namespace zokio::mem
