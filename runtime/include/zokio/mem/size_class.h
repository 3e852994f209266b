// SPDX-License-Identifier: Apache-2.0
#pragma once

// From a size to its class and back.
//
//   8, 16, 24, ... 256     steps of 8 bytes
//   320, 384, 448, 512 ... four classes per power of two, up to 1 MiB
//
// Larger objects are mapped one by one. Lost to rounding: less than 8 bytes up to 256 (less than 16
// where an alignment of 16 is asked for), above that less than a quarter of what was asked for.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace zokio::mem {

inline constexpr std::size_t kAlignment = 16;
inline constexpr std::size_t kFineStep = 8;
inline constexpr std::size_t kFineLimit = 256;
inline constexpr unsigned kFineClasses = kFineLimit / kFineStep;
inline constexpr std::size_t kMaxBlock = std::size_t{1} << 20;
inline constexpr unsigned kClasses = kFineClasses + 4 * 12;  // 2^8 to 2^20

// A span is a run of these.
inline constexpr std::size_t kSlotBytes = std::size_t{64} << 10;

namespace internal {

// Requires: kFineLimit < bytes <= kMaxBlock.
constexpr unsigned coarse_class_of(std::size_t bytes) noexcept {
  const unsigned power = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;
  return kFineClasses + (power - 8) * 4 + static_cast<unsigned>((bytes - 1) >> (power - 2) & 3);
}

// By steps of kAlignment, for all blocks that magazines keep: which size a program asks for is a
// branch that no processor foresees, and a miss of the first cache costs less.
inline constexpr std::size_t kTableLimit = std::size_t{64} << 10;
inline constexpr auto kClassTable = [] {
  std::array<uint8_t, kTableLimit / kAlignment + 1> table{};
  for (std::size_t i = 1; i < table.size(); ++i) {
    const std::size_t bytes = i * kAlignment;
    table[i] =
        static_cast<uint8_t>(bytes <= kFineLimit ? bytes / kFineStep - 1 : coarse_class_of(bytes));
  }
  table[0] = 1;
  return table;
}();

}  // namespace internal

// The class for `bytes` at an alignment of kAlignment. Requires: bytes <= kMaxBlock. 0 counts as 1.
constexpr unsigned class_of(std::size_t bytes) noexcept {
  if (bytes <= internal::kTableLimit) [[likely]]
    return internal::kClassTable[(bytes + kAlignment - 1) / kAlignment];
  return internal::coarse_class_of(bytes);
}

// Larger blocks are in no magazine.
inline constexpr std::size_t kMaxKept = internal::kTableLimit;
static_assert(kMaxKept == kSlotBytes);

// class_of for magazines: one look-up. Requires: bytes <= kMaxKept.
constexpr unsigned kept_class_of(std::size_t bytes) noexcept {
  return internal::kClassTable[(bytes + kAlignment - 1) / kAlignment];
}

// The class for `bytes` at an alignment of kFineStep: what objects without wider members need.
constexpr unsigned class_of_fine(std::size_t bytes) noexcept {
  if (bytes > kFineLimit) return class_of(bytes);
  return bytes == 0 ? 0 : static_cast<unsigned>((bytes - 1) / kFineStep);
}

// Requires: cls < kClasses.
constexpr std::size_t class_bytes(unsigned cls) noexcept {
  if (cls < kFineClasses) return (cls + 1) * kFineStep;
  const unsigned step = (cls - kFineClasses) % 4;
  return std::size_t{5 + step} << ((cls - kFineClasses) / 4 + 6);
}
static_assert(class_bytes(kClasses - 1) == kMaxBlock && class_of(kMaxBlock) == kClasses - 1);

constexpr unsigned span_slots(unsigned cls) noexcept {
  return static_cast<unsigned>((class_bytes(cls) + kSlotBytes - 1) / kSlotBytes);
}
// Blocks above `shared` bytes, at most kSlotBytes, have a span each.
constexpr unsigned span_blocks(unsigned cls, std::size_t shared) noexcept {
  return class_bytes(cls) > shared ? 1u : static_cast<unsigned>(kSlotBytes / class_bytes(cls));
}

// Blocks in a lot that a thread keeps of one class: at most `blocks`, of at most `bytes` together;
// none above 64 KiB.
constexpr unsigned magazine_capacity(unsigned cls, unsigned blocks, std::size_t bytes) noexcept {
  const std::size_t each = class_bytes(cls);
  if (each > kMaxKept) return 0;
  return static_cast<unsigned>(std::min<std::size_t>(blocks, bytes / each));
}

}  // namespace zokio::mem
