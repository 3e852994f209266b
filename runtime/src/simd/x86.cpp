// SPDX-License-Identifier: Apache-2.0
// The kernels of x86-64 processors with SSE4.2 and PCLMULQDQ (2010) and with AVX2 (2013). Each
// function asks for its own instructions; the file has none of them otherwise.

#include <immintrin.h>

#include "simd/kernels.h"
#include "simd/words.h"

#if defined(__x86_64__)

namespace zokio::simd {
namespace {

// One stream waits three cycles for each 8 bytes, so three run beside each other and are joined:
// the sum of the first is carried over the bytes of the others by a multiplication with a power of
// x. Source: Gopal et al., "Fast CRC computation for iSCSI polynomial using CRC32 instruction"
// (2011).

// x^n modulo Castagnoli's polynomial, the highest power in the lowest bit.
constexpr uint32_t power_of_x(std::size_t n) noexcept {
  uint32_t v = 0x80000000;
  for (; n > 0; --n) v = v >> 1 ^ ((v & 1) != 0 ? 0x82F63B78u : 0u);
  return v;
}

[[gnu::always_inline]] inline uint64_t word_at(const uint8_t* p) noexcept {
  uint64_t word;
  __builtin_memcpy(&word, p, 8);
  return word;
}

// The sum `crc` after kBytes zeros. The product of two sums is one power short, and the instruction
// multiplies by x^32: hence 33.
template <std::size_t kBytes>
[[gnu::target("sse4.2,pclmul"), gnu::always_inline]] inline uint32_t carry(uint32_t crc) noexcept {
  constexpr uint32_t kPower = power_of_x(8 * kBytes - 33);
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(crc)),
                                               _mm_cvtsi32_si128(static_cast<int>(kPower)), 0);
  return static_cast<uint32_t>(_mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(product))));
}

template <std::size_t kEach>
[[gnu::target("sse4.2,pclmul"), gnu::always_inline]] inline void three_streams(
    uint32_t& crc, const uint8_t*& p, std::size_t& n) noexcept {
  while (n >= 3 * kEach) {
    uint64_t a = crc, b = 0, c = 0;
    for (std::size_t i = 0; i < kEach; i += 8) {
      a = _mm_crc32_u64(a, word_at(p + i));
      b = _mm_crc32_u64(b, word_at(p + kEach + i));
      c = _mm_crc32_u64(c, word_at(p + 2 * kEach + i));
    }
    crc = carry<2 * kEach>(static_cast<uint32_t>(a)) ^ carry<kEach>(static_cast<uint32_t>(b)) ^
          static_cast<uint32_t>(c);
    p += 3 * kEach;
    n -= 3 * kEach;
  }
}

}  // namespace

[[gnu::target("sse4.2,pclmul")]] uint32_t crc32c_sse42(uint32_t crc, const uint8_t* p,
                                                       std::size_t n) noexcept {
  three_streams<2048>(crc, p, n);
  three_streams<128>(crc, p, n);
  for (; n >= 8; p += 8, n -= 8) crc = static_cast<uint32_t>(_mm_crc32_u64(crc, word_at(p)));
  for (; n > 0; ++p, --n) crc = _mm_crc32_u8(crc, *p);
  return crc;
}

[[gnu::target("avx2")]] void fill_words_avx2(uint8_t* p, std::size_t n, uint64_t word) noexcept {
  fill_words_loop(p, n, word);
}

[[gnu::target("avx2")]] std::size_t damaged_word_avx2(const uint8_t* p, std::size_t n,
                                                      uint64_t word) noexcept {
  return damaged_word_loop(p, n, word);
}

namespace {

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i load(const uint8_t* p) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
[[gnu::target("avx2"), gnu::always_inline]] inline uint32_t bits(__m256i v) noexcept {
  return static_cast<uint32_t>(_mm256_movemask_epi8(v));
}

// Writes the places of the set bits of `mask`, which begins at byte `at`. False: no room, and
// `at` becomes the first that was not written.
[[gnu::always_inline]] inline bool write_places(uint64_t mask, std::size_t& at, uint32_t* out,
                                                std::size_t room, std::size_t& count) noexcept {
  for (; mask != 0; mask &= mask - 1) {
    const std::size_t place = at + static_cast<std::size_t>(__builtin_ctzll(mask));
    if (count == room) {
      at = place;
      return false;
    }
    out[count++] = static_cast<uint32_t>(place);
  }
  return true;
}

// What is left when fewer than a vector's bytes remain, in plain C++.
Scanned append(Scanned first, Scanned rest, uint32_t* out) noexcept {
  for (std::size_t i = 0; i < rest.count; ++i)
    out[first.count + i] += static_cast<uint32_t>(first.scanned);
  return {first.count + rest.count, first.scanned + rest.scanned};
}

}  // namespace

[[gnu::target("avx2,bmi")]] Scanned find_bytes_avx2(const uint8_t* p, std::size_t n,
                                                    const uint8_t* set, uint32_t* out,
                                                    std::size_t room) noexcept {
  const __m256i a = _mm256_set1_epi8(static_cast<char>(set[0]));
  const __m256i b = _mm256_set1_epi8(static_cast<char>(set[1]));
  const __m256i c = _mm256_set1_epi8(static_cast<char>(set[2]));
  const __m256i d = _mm256_set1_epi8(static_cast<char>(set[3]));
  const auto hits = [=](const uint8_t* q) __attribute__((target("avx2"), always_inline)) {
    const __m256i v = load(q);
    return bits(_mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, a), _mm256_cmpeq_epi8(v, b)),
                                _mm256_or_si256(_mm256_cmpeq_epi8(v, c), _mm256_cmpeq_epi8(v, d))));
  };
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const uint64_t mask = hits(p + i) | uint64_t{hits(p + i + 32)} << 32;
    std::size_t at = i;
    if (!write_places(mask, at, out, room, count)) return {count, at};
  }
  return append({count, i}, kScalar.find_bytes(p + i, n - i, set, out + count, room - count), out);
}

[[gnu::target("avx2,bmi")]] Scanned find_crlf_avx2(const uint8_t* p, std::size_t n, uint32_t* out,
                                                   std::size_t room) noexcept {
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 33 <= n; i += 32) {
    const uint32_t mask = bits(_mm256_and_si256(_mm256_cmpeq_epi8(load(p + i), cr),
                                                _mm256_cmpeq_epi8(load(p + i + 1), lf)));
    std::size_t at = i;
    if (!write_places(mask, at, out, room, count)) return {count, at};
  }
  return append({count, i}, kScalar.find_crlf(p + i, n - i, out + count, room - count), out);
}

}  // namespace zokio::simd

#endif
