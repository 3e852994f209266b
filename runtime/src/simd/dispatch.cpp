// SPDX-License-Identifier: Apache-2.0
// Chooses once, and does what is the same for all variants.

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>

#include "simd/kernels.h"
#include "zokio/simd/checksum.h"
#include "zokio/simd/pattern.h"
#include "zokio/simd/scan.h"

namespace zokio::simd {
namespace {

#if defined(__x86_64__)

Kernels with_sse42() noexcept {
  Kernels k = kScalar;
  k.name = "sse4.2";
  k.crc32c = crc32c_sse42;
  return k;
}
Kernels with_avx2() noexcept {
  Kernels k = with_sse42();
  k.name = "avx2";
  k.xxh3 = xxh3_avx2;
  k.fill_words = fill_words_avx2;
  k.damaged_word = damaged_word_avx2;
  k.find_bytes = find_bytes_avx2;
  k.find_crlf = find_crlf_avx2;
  return k;
}

Variants choose() noexcept {
  static const Kernels sse42 = with_sse42();
  static const Kernels avx2 = with_avx2();
  Variants out{{&kScalar}, 1};
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul")) return out;
  out.list[out.count++] = &sse42;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
    out.list[out.count++] = &avx2;
  return out;
}

#elif defined(__aarch64__)

Kernels with_crc() noexcept {
  Kernels k = kScalar;
  k.name = "crc";
  k.crc32c = crc32c_arm;
  return k;
}

Variants choose() noexcept {
  static const Kernels crc = with_crc();
  Variants out{{&kScalar}, 1};
  if ((getauxval(AT_HWCAP) & HWCAP_CRC32) != 0) out.list[out.count++] = &crc;
  return out;
}

#endif

const Kernels& kernels() noexcept {
  static const Kernels& chosen = *variants().list[variants().count - 1];
  return chosen;
}

const uint8_t* octets(const std::byte* p) noexcept {
  return reinterpret_cast<const uint8_t*>(p);
}

// Places are 32 bits wide.
std::size_t within_places(std::size_t n) noexcept {
  return std::min<std::size_t>(n, UINT32_MAX);
}

// The word of the pattern that holds `position`. The key is stirred first (the finaliser of
// SplitMix64), so that keys that follow each other are not positions that do.
uint64_t word_at(uint64_t key, uint64_t position) noexcept {
  key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9u;
  key = (key ^ key >> 27) * 0x94D049BB133111EBu;
  key ^= key >> 31;
  return key + (position / 8 + 1) * kPatternStep;
}

uint8_t byte_of(uint64_t word, uint64_t position) noexcept {
  return static_cast<uint8_t>(word >> 8 * (position % 8));
}

// The bytes before the first whole word, and the number of whole words.
struct Cut {
  std::size_t head, words;
};
Cut cut(std::size_t n, uint64_t position) noexcept {
  const std::size_t head = std::min<std::size_t>(n, (8 - position % 8) % 8);
  return {head, (n - head) / 8};
}

}  // namespace

const Variants& variants() noexcept {
  static const Variants all = choose();
  return all;
}

uint32_t crc32c(Bytes bytes, uint32_t before) noexcept {
  return ~kernels().crc32c(~before, octets(bytes.data()), bytes.size());
}

uint64_t xxh3(Bytes bytes, uint64_t seed) noexcept {
  return kernels().xxh3(bytes.data(), bytes.size(), seed);
}

void fill_pattern(MutBytes out, uint64_t key, uint64_t position) noexcept {
  const auto [head, words] = cut(out.size(), position);
  auto* p = reinterpret_cast<uint8_t*>(out.data());
  const auto by_bytes = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i)
      p[i] = byte_of(word_at(key, position + i), position + i);
  };
  by_bytes(0, head);
  kernels().fill_words(p + head, words, word_at(key, position + head));
  by_bytes(head + 8 * words, out.size());
}

std::size_t find_damage(Bytes bytes, uint64_t key, uint64_t position) noexcept {
  const auto [head, words] = cut(bytes.size(), position);
  const uint8_t* p = octets(bytes.data());
  const auto by_bytes = [&](std::size_t from, std::size_t to) {
    while (from < to && p[from] == byte_of(word_at(key, position + from), position + from)) ++from;
    return from;
  };
  if (const std::size_t at = by_bytes(0, head); at < head) return at;
  const std::size_t word = kernels().damaged_word(p + head, words, word_at(key, position + head));
  // The byte in the damaged word, or the first of the tail that differs.
  const std::size_t at = by_bytes(head + 8 * word, bytes.size());
  return at < bytes.size() ? at : kIntact;
}

ScanResult find_bytes(Bytes bytes, ByteSet set, std::span<uint32_t> out) noexcept {
  const Scanned done = kernels().find_bytes(octets(bytes.data()), within_places(bytes.size()),
                                            set.bytes().data(), out.data(), out.size());
  return {done.count, done.scanned};
}

ScanResult find_crlf(Bytes bytes, std::span<uint32_t> out) noexcept {
  const std::size_t n = within_places(bytes.size());
  const uint8_t* p = octets(bytes.data());
  const Scanned done = kernels().find_crlf(p, n, out.data(), out.size());
  // The last byte may be the first half of one.
  const bool open = done.scanned == n && n > 0 && p[n - 1] == '\r';
  return {done.count, done.scanned - open};
}

void count_bytes(Bytes bytes, std::span<uint64_t, 256> counts) noexcept {
  kernels().count_bytes(octets(bytes.data()), bytes.size(), counts.data());
}

}  // namespace zokio::simd
