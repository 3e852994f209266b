// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every variant of the kernels has to do; the public headers say what it means.
// Plain pointers, so that a variant can be compiled with flags of its own without sharing an inline
// function with the rest.

#include <cstddef>
#include <cstdint>

namespace zokio::simd {

struct Scanned {
  std::size_t count;
  std::size_t scanned;
};

struct Kernels {
  const char* name;
  uint32_t (*crc32c)(uint32_t crc, const uint8_t* p, std::size_t n) noexcept;
  uint64_t (*xxh3)(const void* p, std::size_t n, uint64_t seed) noexcept;
  // `word` is the pattern at p, which begins a word; n is a number of words.
  void (*fill_words)(uint8_t* p, std::size_t n, uint64_t word) noexcept;
  // The first word that differs, or n.
  std::size_t (*damaged_word)(const uint8_t* p, std::size_t n, uint64_t word) noexcept;
  // n < 2^32. Stops when `room` places were written.
  Scanned (*find_bytes)(const uint8_t* p, std::size_t n, const uint8_t* set, uint32_t* out,
                        std::size_t room) noexcept;
  Scanned (*find_crlf)(const uint8_t* p, std::size_t n, uint32_t* out, std::size_t room) noexcept;
  void (*count_bytes)(const uint8_t* p, std::size_t n, uint64_t* counts) noexcept;
};

// From one word of the pattern to the next: odd, so that no two of 2^64 positions share a word.
inline constexpr uint64_t kPatternStep = 0x9E3779B97F4A7C15u;

// The variants this processor can run, plain C++ first, the one in use last.
struct Variants {
  const Kernels* list[3];
  std::size_t count;
};
const Variants& variants() noexcept;

// Plain C++.
extern const Kernels kScalar;
uint32_t crc32c_table(uint32_t crc, const uint8_t* p, std::size_t n) noexcept;
uint64_t xxh3_plain(const void* p, std::size_t n, uint64_t seed) noexcept;
void count_bytes_tables(const uint8_t* p, std::size_t n, uint64_t* counts) noexcept;

#if defined(__x86_64__)
uint32_t crc32c_sse42(uint32_t crc, const uint8_t* p, std::size_t n) noexcept;
uint64_t xxh3_avx2(const void* p, std::size_t n, uint64_t seed) noexcept;
void fill_words_avx2(uint8_t* p, std::size_t n, uint64_t word) noexcept;
std::size_t damaged_word_avx2(const uint8_t* p, std::size_t n, uint64_t word) noexcept;
Scanned find_bytes_avx2(const uint8_t* p, std::size_t n, const uint8_t* set, uint32_t* out,
                        std::size_t room) noexcept;
Scanned find_crlf_avx2(const uint8_t* p, std::size_t n, uint32_t* out, std::size_t room) noexcept;
#elif defined(__aarch64__)
uint32_t crc32c_arm(uint32_t crc, const uint8_t* p, std::size_t n) noexcept;
#endif

}  // namespace zokio::simd
