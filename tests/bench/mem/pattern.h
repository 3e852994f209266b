// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the blocks of `./dev bench mem` carry, and how big they are. A block has a pattern made of
// its address and its number, written when it is allocated and compared when it is freed: all bytes
// of a sample, and eight bytes of each where a workload touches every block. Two live blocks that
// overlap, a block that is given out twice and one that was cleared or written to are found by
// that. The work is the same under every allocator, and `control` measures it alone.
// Thread: free functions; a block belongs to one thread at a time.

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "../sched/harness.h"

namespace bench::mem {

struct Block {
  std::byte* memory = nullptr;
  uint32_t bytes = 0;
  uint32_t number = 0;
};

// One block of so many is compared as a whole, so that this costs about one byte for each block,
// whatever its size. A power of two.
constexpr uint32_t whole_every(size_t typical_bytes) {
  return std::max<uint32_t>(64, static_cast<uint32_t>(std::bit_ceil(typical_bytes)));
}

inline uint64_t tag_of(const Block& b) {
  const uint64_t seed = reinterpret_cast<uintptr_t>(b.memory) ^ uint64_t { b.number } << 32;
  return seed * 0x9e3779b97f4a7c15;
}

// Calls `word(place, value, length)` for every word of the block.
template <class F>
inline bool for_words(const Block& b, F word) {
  const uint64_t tag = tag_of(b);
  bool ok = true;
  size_t at = 0;
  for (; at + 8 <= b.bytes; at += 8) ok &= word(b.memory + at, tag + at, 8);
  if (at < b.bytes) ok &= word(b.memory + at, tag + at, b.bytes - at);
  return ok;
}

inline void fill_whole(const Block& b) {
  for_words(b, [](std::byte* place, uint64_t value, size_t length) {
    std::memcpy(place, &value, length);
    return true;
  });
}

// Alignment is part of it: 16, or 8 where a block is smaller than that.
inline bool intact_whole(const Block& b) {
  const bool aligned = reinterpret_cast<uintptr_t>(b.memory) % (b.bytes < 16 ? 8 : 16) == 0;
  return aligned && for_words(b, [](const std::byte* place, uint64_t value, size_t length) {
           return std::memcmp(place, &value, length) == 0;
         });
}

// Which blocks a workload writes and compares.
enum class Touch { Sample, Every };

// Where a block that is not compared as a whole has its eight bytes: at its start, where every
// allocator touches it anyway, or for one in eight at its end. Without a branch, as numbers of
// freed blocks come in random order. Requires: at least 8 bytes.
inline std::byte* mark_of(const Block& b) {
  return b.memory + ((b.bytes - 8) & -static_cast<uint32_t>(b.number % 8 == 1));
}

template <Touch What>
inline void fill(const Block& b, uint32_t every) {
  if (b.number % every == 0) return fill_whole(b);
  if (What == Touch::Sample) return;
  const uint64_t tag = tag_of(b);
  std::memcpy(mark_of(b), &tag, 8);
}

template <Touch What>
inline bool intact(const Block& b, uint32_t every) {
  if (b.number % every == 0) return intact_whole(b);
  if (What == Touch::Sample) return true;
  const uint64_t tag = tag_of(b);
  return std::memcmp(mark_of(b), &tag, 8) == 0;
}

// Every size from 8 to 256 equally often.
struct SmallSizes {
  static constexpr size_t kTypical = 256;
  static size_t of(uint32_t random) { return 8 + (uint64_t{random} * 249 >> 32); }
};

// 8 to `Max`, each power of two as often as the next; a table of 1,024 steps.
template <size_t Max>
struct LogSizes {
  static constexpr size_t kTypical = Max / 8;
  static size_t of(uint32_t random) { return kTable[random >> 22]; }

 private:
  static std::array<uint32_t, 1024> steps() {
    std::array<uint32_t, 1024> sizes{};
    const double span = std::log(static_cast<double>(Max) / 8) / (sizes.size() - 1);
    for (size_t i = 0; i < sizes.size(); ++i)
      sizes[i] = static_cast<uint32_t>(std::lround(8 * std::exp(span * static_cast<double>(i))));
    return sizes;
  }
  static inline const std::array<uint32_t, 1024> kTable = steps();
};

template <size_t Bytes>
struct OneSize {
  static constexpr size_t kTypical = Bytes;
  static size_t of(uint32_t) { return Bytes; }
};

}  // namespace bench::mem
