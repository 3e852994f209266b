// SPDX-License-Identifier: Apache-2.0
#pragma once

// Anonymous memory of the system. Thread: any.

#include <cstddef>
#include <cstdint>

namespace zokio::mem {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

constexpr std::size_t round_to_pages(std::size_t bytes) noexcept {
  return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
}

// Zeroed, readable and writable, not yet resident; `lead` bytes behind the start are aligned.
// Null when the system refuses.
// Requires: bytes, alignment and lead are multiples of the page, alignment a power of two.
std::byte* map(std::size_t bytes, std::size_t alignment, std::size_t lead = 0) noexcept;

// Both return the bytes that were resident before, counted by the kernel.
uint64_t unmap(std::byte* start, std::size_t bytes) noexcept;
// Keeps the addresses; the content is zero afterwards. 0 when the kernel refuses (locked memory).
uint64_t discard(std::byte* start, std::size_t bytes) noexcept;

// False when the kernel knows no huge pages.
bool want_huge_pages(std::byte* start, std::size_t bytes) noexcept;

uint64_t resident_bytes(std::byte* start, std::size_t bytes) noexcept;

}  // namespace zokio::mem
