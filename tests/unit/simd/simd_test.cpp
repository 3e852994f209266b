// SPDX-License-Identifier: Apache-2.0

// Every variant of every kernel that this processor can run against loops written here: all lengths
// up to 300 at all alignments of a cache line, and long ones.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "simd/kernels.h"
#include "zokio/simd/checksum.h"
#include "zokio/simd/pattern.h"
#include "zokio/simd/scan.h"

namespace zokio::simd {
namespace {

constexpr std::size_t kLengths = 301;
constexpr std::size_t kAlignments = 64;

// Bytes that end where the process may read no further, so that a kernel that looks beyond the last
// one dies. The page before cannot be read either.
class Fenced {
 public:
  explicit Fenced(std::size_t bytes) : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    bytes_ = (bytes + page_ - 1) / page_ * page_;
    void* p = mmap(nullptr, bytes_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) std::abort();
    start_ = static_cast<uint8_t*>(p) + page_;
    if (mprotect(start_, bytes_, PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  ~Fenced() { munmap(start_ - page_, bytes_ + 2 * page_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  // The last n bytes.
  uint8_t* end(std::size_t n) { return start_ + bytes_ - n; }
  uint8_t* start() { return start_; }

 private:
  std::size_t page_, bytes_;
  uint8_t* start_;
};

Bytes view(std::string_view text) {
  return as_bytes(text);
}

// Calls check(p, n) with random bytes: all lengths at all alignments, all lengths at both fences,
// and some long ones.
template <class F>
void each_input(F check, unsigned range = 256) {
  std::mt19937_64 random(20240619);
  Fenced small(4096);
  const auto fill = [&](uint8_t* p, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) p[i] = static_cast<uint8_t>(random() % range);
  };
  fill(small.start(), 4096);
  for (std::size_t n = 0; n < kLengths; ++n) {
    for (std::size_t at = 0; at < kAlignments; ++at) check(small.start() + at, n);
    check(small.end(n), n);
    if (testing::Test::HasFatalFailure()) return;
  }
  const std::size_t most = 100'000;
  Fenced large(most);
  fill(large.start(), most);
  for (int i = 0; i < 20; ++i) {
    const std::size_t n = i == 0 ? most : random() % most;
    check(i % 2 == 0 ? large.end(n) : large.start() + random() % (most - n + 1), n);
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class F>
void each_variant(F check) {
  const Variants& all = variants();
  for (std::size_t i = 0; i < all.count; ++i) {
    SCOPED_TRACE(all.list[i]->name);
    check(*all.list[i]);
    if (testing::Test::HasFatalFailure()) return;
  }
}

// By the definition, bit by bit.
uint32_t slow_crc(uint32_t crc, const uint8_t* p, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    crc ^= p[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
  }
  return crc;
}

TEST(Simd, UsesTheBestOfTheProcessor) {
  ASSERT_GE(variants().count, 1u);
  EXPECT_STREQ(variants().list[0]->name, "plain");
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
  EXPECT_EQ(variants().count == 3, avx2);
#endif
}

TEST(Crc32c, KnownSums) {
  // RFC 3720, B.4, and the check value of the catalogue of CRCs.
  std::array<std::byte, 32> bytes{};
  EXPECT_EQ(crc32c(view("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c(bytes), 0x8A9136AAu);
  bytes.fill(std::byte{0xFF});
  EXPECT_EQ(crc32c(bytes), 0x62A8AB43u);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(bytes), 0x46DD794Eu);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, EveryVariantByTheDefinition) {
  each_variant([](const Kernels& k) {
    each_input([&](const uint8_t* p, std::size_t n) {
      const auto before = static_cast<uint32_t>(n * 2654435761u);
      ASSERT_EQ(k.crc32c(before, p, n), slow_crc(before, p, n)) << n;
    });
  });
}

TEST(Crc32c, GoesOn) {
  std::string text(20'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 256);
  const uint32_t whole = crc32c(view(text));
  for (std::size_t cut : {0u, 1u, 7u, 8u, 383u, 384u, 6143u, 6144u, 12'345u, 20'000u}) {
    const std::string_view both(text);
    EXPECT_EQ(crc32c(view(both.substr(cut)), crc32c(view(both.substr(0, cut)))), whole) << cut;
  }
}

TEST(Xxh3, KnownSums) {
  EXPECT_EQ(xxh3({}), 0x2D06800538D394C2u);
  EXPECT_EQ(xxh3(view("a")), 0xE6C632B61E964E1Fu);
  EXPECT_EQ(xxh3(view("abc")), 0x78AF5F94892F3950u);
}

TEST(Xxh3, EveryVariantIsTheSame) {
  each_variant([](const Kernels& k) {
    each_input([&](const uint8_t* p, std::size_t n) {
      const uint64_t seed = n * 31;
      ASSERT_EQ(k.xxh3(p, n, seed), kScalar.xxh3(p, n, seed)) << n;
    });
  });
  EXPECT_NE(xxh3(view("abc"), 1), xxh3(view("abc"), 2));
}

TEST(Pattern, EveryVariantWritesAndReadsTheSameWords) {
  each_variant([](const Kernels& k) {
    each_input([&](uint8_t* p, std::size_t bytes) {
      const std::size_t n = bytes / 8;
      const uint64_t first = bytes * 0x1234567;
      k.fill_words(p, n, first);
      for (std::size_t i = 0; i < n; ++i) {
        uint64_t w;
        std::memcpy(&w, p + 8 * i, 8);
        ASSERT_EQ(w, first + i * kPatternStep) << n << " " << i;
      }
      ASSERT_EQ(k.damaged_word(p, n, first), n);
      if (n == 0) return;
      const std::size_t at = bytes % n;
      p[8 * at + bytes % 8] ^= 0x10;
      ASSERT_EQ(k.damaged_word(p, n, first), at) << n;
    });
  });
}

TEST(Pattern, IsOfItsPositionOnly) {
  std::vector<std::byte> whole(5000);
  fill_pattern(whole, 9, 3);
  for (std::size_t from = 0; from < 40; ++from) {
    for (std::size_t n : {0u, 1u, 5u, 8u, 9u, 100u, 4900u}) {
      std::vector<std::byte> part(n + 2, std::byte{0xEE});
      fill_pattern(MutBytes(part).subspan(1, n), 9, 3 + from);
      ASSERT_TRUE(std::equal(part.begin() + 1, part.end() - 1,
                             whole.begin() + static_cast<std::ptrdiff_t>(from)));
      ASSERT_EQ(part.front(), std::byte{0xEE});
      ASSERT_EQ(part.back(), std::byte{0xEE});
    }
  }
}

TEST(Pattern, EveryDamagedByteIsFound) {
  std::vector<std::byte> bytes(700);
  for (uint64_t position : {0u, 1u, 7u, 8u, 13u}) {
    fill_pattern(bytes, 77, position);
    ASSERT_EQ(find_damage(bytes, 77, position), kIntact);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] ^= std::byte{1};
      ASSERT_EQ(find_damage(bytes, 77, position), i);
      if (i + 9 < bytes.size()) {  // the first of two
        bytes[i + 9] ^= std::byte{0x80};
        ASSERT_EQ(find_damage(bytes, 77, position), i);
        bytes[i + 9] ^= std::byte{0x80};
      }
      bytes[i] ^= std::byte{1};
    }
  }
}

TEST(Pattern, WhatWasMovedOrIsOfAnotherIsSeen) {
  std::vector<std::byte> bytes(20'000);
  fill_pattern(bytes, 1, 0);
  for (std::size_t shift = 1; shift <= 4096; ++shift)
    ASSERT_LT(find_damage(Bytes(bytes).subspan(shift, 16), 1, 0), 16u) << shift;
  for (uint64_t key = 2; key < 2000; ++key)
    ASSERT_LT(find_damage(Bytes(bytes).first(16), key, 0), 16u) << key;
}

std::vector<uint32_t> slow_find(const uint8_t* p, std::size_t n, std::string_view set) {
  std::array<bool, 256> wanted{};
  for (char c : set) wanted[static_cast<uint8_t>(c)] = true;
  std::vector<uint32_t> out;
  out.reserve(n);
  for (std::size_t i = 0; i < n; ++i)
    if (wanted[p[i]]) out.push_back(static_cast<uint32_t>(i));
  return out;
}

// Bytes of 0 to 11, so that there are many places; every room up to one more than is needed.
TEST(Scan, EveryVariantFindsAllBytesOfTheSet) {
  each_variant([](const Kernels& k) {
    for (std::string_view set : {std::string_view("\1"), std::string_view("\0\3\5", 3),
                                 std::string_view("\12\2\7\1", 4), std::string_view("x")}) {
      each_input(
          [&](const uint8_t* p, std::size_t n) {
            const std::vector<uint32_t> expected = slow_find(p, n, set);
            std::vector<uint32_t> out(expected.size() + 1, 99);
            const Scanned all =
                k.find_bytes(p, n, ByteSet(set).bytes().data(), out.data(), out.size());
            ASSERT_EQ(all.count, expected.size()) << n;
            ASSERT_EQ(all.scanned, n);
            out.pop_back();
            ASSERT_EQ(out, expected) << n;
            if (expected.empty()) return;
            const std::size_t room = n % expected.size();  // less than is needed
            const Scanned some = k.find_bytes(p, n, ByteSet(set).bytes().data(), out.data(), room);
            ASSERT_EQ(some.count, room);
            ASSERT_EQ(some.scanned, expected[room]) << n;
          },
          12);
      if (testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(Scan, EveryVariantFindsLineEnds) {
  each_variant([](const Kernels& k) {
    std::vector<uint8_t> copy;
    each_input(
        [&](const uint8_t* random, std::size_t n) {
          // Of three bytes: line ends everywhere, also across the borders of vectors. A copy at its
          // exact size, for AddressSanitizer.
          copy.assign(random, random + n);
          copy.shrink_to_fit();
          for (uint8_t& b : copy) b = b == 0 ? '\r' : b == 1 ? '\n' : 'x';
          std::vector<uint32_t> expected;
          expected.reserve(n);
          for (std::size_t i = 0; i + 1 < n; ++i)
            if (copy[i] == '\r' && copy[i + 1] == '\n')
              expected.push_back(static_cast<uint32_t>(i));
          std::vector<uint32_t> out(expected.size() + 1, 99);
          const Scanned all = k.find_crlf(copy.data(), n, out.data(), out.size());
          ASSERT_EQ(all.scanned, n);
          ASSERT_EQ(all.count, expected.size()) << n;
          out.pop_back();
          ASSERT_EQ(out, expected);
          if (expected.empty()) return;
          const std::size_t room = n % expected.size();
          const Scanned some = k.find_crlf(copy.data(), n, out.data(), room);
          ASSERT_EQ(some.count, room);
          ASSERT_EQ(some.scanned, expected[room]);
        },
        3);
  });
}

// No variant looks at the byte behind the last one.
TEST(Scan, LineEndsStayWithinTheBytes) {
  Fenced fenced(4096);
  each_variant([&](const Kernels& k) {
    for (std::size_t n = 0; n < kLengths; ++n) {
      uint8_t* p = fenced.end(n);
      std::memset(p, '\r', n);
      uint32_t out[4];
      ASSERT_EQ(k.find_crlf(p, n, out, 4).count, 0u);
    }
  });
}

TEST(Scan, TheRestOfALineIsLookedAtAgain) {
  std::array<uint32_t, 8> places{};
  const std::string text = "one\r\ntwo\r\n\r\nlast\r";
  ScanResult all = find_crlf(view(text), places);
  EXPECT_EQ(all.count, 3u);
  EXPECT_EQ(places[0], 3u);
  EXPECT_EQ(places[1], 8u);
  EXPECT_EQ(places[2], 10u);
  EXPECT_EQ(all.scanned, text.size() - 1);
  EXPECT_EQ(find_crlf(view(text + "x"), places).scanned, text.size() + 1);
  EXPECT_EQ(find_crlf(view(text + "\n"), places).count, 4u);
  EXPECT_EQ(find_crlf({}, places).scanned, 0u);
}

TEST(Scan, GoesOnWhereTheRoomEnded) {
  std::string text;
  for (int i = 0; i < 500; ++i)
    text += std::string(static_cast<std::size_t>(i % 37), 'x') + ",;"[i % 2];
  std::vector<std::size_t> seen;
  std::array<uint32_t, 7> places{};
  for (std::size_t from = 0; from < text.size();) {
    const ScanResult part =
        find_bytes(view(std::string_view(text).substr(from)), ByteSet(",;"), places);
    for (std::size_t i = 0; i < part.count; ++i) seen.push_back(from + places[i]);
    ASSERT_GT(part.scanned, 0u);
    from += part.scanned;
  }
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != 'x') expected.push_back(i);
  EXPECT_EQ(seen, expected);
}

TEST(Scan, ASetHasOneToFourBytes) {
  EXPECT_DEATH(ByteSet(""), "one to four");
  EXPECT_DEATH(ByteSet("abcde"), "one to four");
}

TEST(Histogram, EveryVariantCounts) {
  each_variant([](const Kernels& k) {
    each_input([&](const uint8_t* p, std::size_t n) {
      std::array<uint64_t, 256> expected{}, counts{};
      expected[3] = counts[3] = 40;  // adds to what is there
      for (std::size_t i = 0; i < n; ++i) ++expected[p[i]];
      k.count_bytes(p, n, counts.data());
      ASSERT_EQ(counts, expected) << n;
    });
  });
}

}  // namespace
}  // namespace zokio::simd
