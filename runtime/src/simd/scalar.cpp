// SPDX-License-Identifier: Apache-2.0
// Every kernel in plain C++: what runs where nothing better is known, and what the others are
// compared with.

#include <array>
#include <bit>
#include <cstring>

#include "simd/kernels.h"
#include "simd/words.h"

namespace zokio::simd {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, lowest bit first

// Eight bytes at a time. Source: Kounavis and Berry, "A systematic approach to building high
// performance software-based CRC generators" (2005).
constexpr auto kTables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (std::size_t k = 1; k < 8; ++k) {
      const uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = crc >> 8 ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}();

void fill_words(uint8_t* p, std::size_t n, uint64_t word) noexcept {
  fill_words_loop(p, n, word);
}
std::size_t damaged_word(const uint8_t* p, std::size_t n, uint64_t word) noexcept {
  return damaged_word_loop(p, n, word);
}

Scanned find_bytes(const uint8_t* p, std::size_t n, const uint8_t* set, uint32_t* out,
                   std::size_t room) noexcept {
  std::array<bool, 256> wanted{};
  for (int i = 0; i < 4; ++i) wanted[set[i]] = true;
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!wanted[p[i]]) continue;
    if (count == room) return {count, i};
    out[count++] = static_cast<uint32_t>(i);
  }
  return {count, n};
}

Scanned find_crlf(const uint8_t* p, std::size_t n, uint32_t* out, std::size_t room) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i + 1 < n; ++i) {
    if (p[i] != '\r' || p[i + 1] != '\n') continue;
    if (count == room) return {count, i};
    out[count++] = static_cast<uint32_t>(i);
  }
  return {count, n};
}

}  // namespace

uint32_t crc32c_table(uint32_t crc, const uint8_t* p, std::size_t n) noexcept {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][word >> 8 * k & 0xFF];
  }
  for (; n > 0; ++p, --n) crc = crc >> 8 ^ kTables[0][(crc ^ *p) & 0xFF];
  return crc;
}

void count_bytes_tables(const uint8_t* p, std::size_t n, uint64_t* counts) noexcept {
  // Below this the tables cost more than they save (measured on Zen 4).
  if (n < 8192) {
    for (std::size_t i = 0; i < n; ++i) ++counts[p[i]];
    return;
  }
  // Four tables: where the processor does not forward a store to the next load by itself, an
  // addition waits for the last one to the same place, and in much data all bytes are equal.
  constexpr std::size_t kMost = std::size_t{1} << 30;  // no place overflows
  while (n > 0) {
    std::array<std::array<uint32_t, 256>, 4> tables{};
    std::size_t left = n < kMost ? n : kMost;
    n -= left;
    for (; left >= 8; p += 8, left -= 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      for (std::size_t k = 0; k < 8; ++k) ++tables[k % 4][word >> 8 * k & 0xFF];
    }
    for (; left > 0; ++p, --left) ++tables[0][*p];
    for (std::size_t i = 0; i < 256; ++i)
      counts[i] += uint64_t{tables[0][i]} + tables[1][i] + tables[2][i] + tables[3][i];
  }
}

constinit const Kernels kScalar = {.name = "plain",
                                   .crc32c = crc32c_table,
                                   .xxh3 = xxh3_plain,
                                   .fill_words = fill_words,
                                   .damaged_word = damaged_word,
                                   .find_bytes = find_bytes,
                                   .find_crlf = find_crlf,
                                   .count_bytes = count_bytes_tables};

}  // namespace zokio::simd
