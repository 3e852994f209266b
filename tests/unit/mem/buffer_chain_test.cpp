// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/buffer_chain.h"

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using BufferChainTest = CachedPoolsTest;

SharedBuffer text(std::string_view s) {
  return *SharedBuffer::copy_of(as_bytes(s));
}
BufferChain chain(std::initializer_list<std::string_view> parts) {
  BufferChain out;
  for (std::string_view part : parts) EXPECT_TRUE(out.append(text(part)).has_value());
  return out;
}
std::string str(const BufferChain& chain) {
  std::string out(chain.size(), '\0');
  EXPECT_EQ(chain.copy_out(std::as_writable_bytes(std::span(out))), out.size());
  std::string walked;
  std::size_t slices = 0;
  for (const SharedBuffer& slice : chain) {
    EXPECT_FALSE(slice.empty());
    walked += as_text(slice.bytes());
    ++slices;
  }
  EXPECT_EQ(walked, out);
  EXPECT_EQ(slices, chain.slices());
  return out;
}

TEST_F(BufferChainTest, AppendsAndPrepends) {
  BufferChain c = chain({"b", "c"});
  EXPECT_TRUE(c.prepend(text("a")).has_value());
  EXPECT_TRUE(c.append(SharedBuffer()).has_value());  // nothing
  EXPECT_EQ(str(c), "abc");
  EXPECT_EQ(c.slices(), 3u);
  Buffer lease_of = *lease(100);
  std::memcpy(lease_of.data(), "defg", 4);
  lease_of.resize(4);
  EXPECT_TRUE(c.append(std::move(lease_of)).has_value());
  EXPECT_EQ(str(c), "abcdefg");
  BufferChain moved = std::move(c);
  EXPECT_TRUE(c.empty());  // NOLINT(bugprone-use-after-move): this is what is tested
  EXPECT_EQ(str(c), "");
  EXPECT_EQ(str(moved), "abcdefg");
}

TEST_F(BufferChainTest, MovesOfWholeChains) {
  for (bool left_empty : {false, true}) {
    for (bool right_empty : {false, true}) {
      BufferChain a = left_empty ? BufferChain() : chain({"ab", "c"});
      BufferChain b = right_empty ? BufferChain() : chain({"d", "ef"});
      const std::string both = str(a) + str(b);
      a.append(std::move(b));
      EXPECT_TRUE(b.empty());  // NOLINT(bugprone-use-after-move)
      EXPECT_EQ(str(a), both);
      EXPECT_TRUE(a.append(text("!")).has_value());  // the tail is right
      BufferChain front = left_empty ? BufferChain() : chain({"0"});
      const std::string all = str(front) + both + "!";
      a.prepend(std::move(front));
      EXPECT_EQ(str(a), all);
      EXPECT_TRUE(a.append(text("?")).has_value());
      EXPECT_EQ(str(a), all + "?");
    }
  }
}

TEST_F(BufferChainTest, SplitsAtEachByte) {
  const std::string whole = "abcdefghij";
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    BufferChain c = chain({"a", "bcd", "ef", "ghij"});
    auto first = c.split(n);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(str(*first), whole.substr(0, n)) << n;
    EXPECT_EQ(str(c), whole.substr(n)) << n;
    EXPECT_TRUE(c.append(text("+")).has_value());
    EXPECT_EQ(str(c), whole.substr(n) + "+");
  }
  BufferChain c = chain({"abc"});
  EXPECT_EQ(c.split(4).error().code, Errc::OutOfRange);
  EXPECT_EQ(str(c), "abc");
}

TEST_F(BufferChainTest, NoByteIsCopiedByASplit) {
  BufferChain c = chain({"abcdef"});
  const std::byte* at = c.begin()->data();
  BufferChain first = *c.split(2);
  EXPECT_EQ(first.begin()->data(), at);
  EXPECT_EQ(c.begin()->data(), at + 2);
}

TEST_F(BufferChainTest, ConsumesAndGivesBack) {
  BufferChain c = chain({"abc", "de", "fgh"});
  c.consume(4);
  EXPECT_EQ(str(c), "efgh");
  EXPECT_EQ(buffers().objects_in_use, 2u);
  c.consume(1);
  EXPECT_EQ(buffers().objects_in_use, 1u);
  c.consume(3);
  EXPECT_TRUE(c.empty());
  EXPECT_EQ(buffers().objects_in_use, 0u);
  EXPECT_DEATH(c.consume(1), "more than the chain has");
  EXPECT_TRUE(c.append(text("z")).has_value());
  EXPECT_EQ(str(c), "z");
}

TEST_F(BufferChainTest, MakesTheFirstBytesOnePiece) {
  const std::string whole = "abcdefgh";
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    BufferChain c = chain({"abc", "d", "efgh"});
    const std::byte* at = c.begin()->data();
    auto first = c.coalesce(n);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(as_text(*first), whole.substr(0, n));
    EXPECT_EQ(str(c), whole);
    EXPECT_EQ(c.begin()->data() == at, n <= 3) << n;  // copied only if it has to be
  }
  BufferChain c = chain({"abc"});
  EXPECT_EQ(c.coalesce(4).error().code, Errc::OutOfRange);
}

TEST_F(BufferChainTest, FindsAndCopiesFromAnywhere) {
  const std::string whole = "abcabcabba";
  const BufferChain c = chain({"ab", "cabc", "abb", "a"});
  for (char value : {'a', 'b', 'c', 'd'}) {
    for (std::size_t from = 0; from <= whole.size() + 1; ++from) {
      const std::size_t expected = whole.find(value, from);
      EXPECT_EQ(c.find(static_cast<std::byte>(value), from), expected) << value << from;
    }
  }
  for (std::size_t from = 0; from <= whole.size(); ++from) {
    for (std::size_t n = 0; n <= whole.size(); ++n) {
      std::string out(n, '\0');
      out.resize(c.copy_out(std::as_writable_bytes(std::span(out)), from));
      EXPECT_EQ(out, whole.substr(from, n));
    }
  }
  EXPECT_EQ(c.copy_out(MutBytes(), 0), 0u);
}

TEST_F(BufferChainTest, GathersInBatches) {
  BufferChain c;
  std::string whole;
  for (int i = 0; i < 2500; ++i) {
    whole += std::to_string(i);
    ASSERT_TRUE(c.append(text(std::to_string(i))).has_value());
  }
  for (std::size_t room : {std::size_t{1}, std::size_t{7}, std::size_t{1024}, std::size_t{4000}}) {
    BufferChain rest = *c.share();
    std::vector<iovec> entries(room);
    std::string seen;
    while (!rest.empty()) {
      const auto [n, bytes] = rest.gather(entries);
      ASSERT_GT(n, 0u);
      ASSERT_LE(n, std::min<std::size_t>(room, 1024));
      std::size_t sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        seen.append(static_cast<const char*>(entries[i].iov_base), entries[i].iov_len);
        sum += entries[i].iov_len;
      }
      ASSERT_EQ(sum, bytes);
      rest.consume(bytes);
    }
    EXPECT_EQ(seen, whole);
  }
  EXPECT_EQ(c.gather({}).entries, 0u);
}

// One call takes no more than 2 GiB: the sixteen slices are one block, counted as 256 MiB each.
TEST_F(BufferChainTest, GathersNoMoreThanOneCallTakes) {
  static std::byte one;
  BufferChain c;
  const Bytes huge(&one, std::size_t{256} << 20);  // never touched
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(c.append(SharedBuffer::of_static(huge)).has_value());
  std::vector<iovec> entries(64);
  const auto [n, bytes] = c.gather(entries);
  EXPECT_EQ(n, 8u);
  EXPECT_EQ(bytes, 0x7ffff000u);
}

TEST_F(BufferChainTest, WithoutMemoryNothingChanges) {
  BufferChain c = chain({"abc", "def"});
  // What is free in the heap is used up, so that no node is left.
  ASSERT_TRUE(set_limit("heap", 1, /*force=*/true).has_value());
  std::vector<void*> blocks;
  while (void* p = allocate<32, 8>()) blocks.push_back(p);
  EXPECT_EQ(c.split(2).error().code, Errc::ResourceExhausted);
  EXPECT_EQ(c.coalesce(5).error().code, Errc::ResourceExhausted);
  EXPECT_EQ(c.append(text("x")).error().code, Errc::ResourceExhausted);
  EXPECT_EQ(str(c), "abcdef");
  ASSERT_TRUE(c.split(3).has_value());  // at a border nothing is needed
  for (void* p : blocks) deallocate<32, 8>(p);
}

// Against a string, by random steps.
TEST_F(BufferChainTest, RandomStepsLikeAString) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    std::mt19937_64 random(seed);
    BufferChain c;
    std::string model;
    for (int step = 0; step < 200; ++step) {
      const std::size_t n = model.empty() ? 0 : random() % (model.size() + 1);
      switch (random() % 7) {
        case 0:
        case 1: {
          const std::string part(random() % 40, static_cast<char>('a' + random() % 26));
          const bool front = random() % 2 == 0;
          ASSERT_TRUE((front ? c.prepend(text(part)) : c.append(text(part))).has_value());
          model = front ? part + model : model + part;
          break;
        }
        case 2: {
          BufferChain first = *c.split(n);
          ASSERT_EQ(str(first), model.substr(0, n)) << seed;
          c.append(std::move(first));
          model = model.substr(n) + model.substr(0, n);
          break;
        }
        case 3:
          if (model.size() < 400) break;
          c.consume(n);
          model.erase(0, n);
          break;
        case 4:
          ASSERT_EQ(as_text(*c.coalesce(n)), model.substr(0, n)) << seed;
          break;
        case 5: {
          if (model.size() > 2000) break;
          BufferChain again = *c.share();
          c.prepend(std::move(again));
          model += model;
          break;
        }
        default: {
          const std::size_t at = c.find(std::byte{'m'}, n);
          ASSERT_EQ(at, model.find('m', n)) << seed;
        }
      }
      ASSERT_EQ(c.size(), model.size());
    }
    ASSERT_EQ(str(c), model) << seed;
  }
}

}  // namespace
}  // namespace zokio::mem
