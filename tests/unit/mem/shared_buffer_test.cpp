// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/shared_buffer.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using SharedBufferTest = CachedPoolsTest;

SharedBuffer text(std::string_view s) {
  return *SharedBuffer::copy_of(as_bytes(s));
}
std::string str(const SharedBuffer& b) {
  return std::string(as_text(b.bytes()));
}

TEST_F(SharedBufferTest, SlicesShareOneBlockUntilTheLast) {
  SharedBuffer whole = text("hello world");
  EXPECT_TRUE(whole.unique());
  EXPECT_EQ(buffers().objects_in_use, 1u);
  SharedBuffer world = whole.slice(6, 5);
  SharedBuffer copy = world;
  EXPECT_EQ(str(world), "world");
  EXPECT_EQ(world.data(), whole.data() + 6);
  EXPECT_FALSE(whole.unique());
  whole = SharedBuffer();
  world = SharedBuffer();
  EXPECT_TRUE(copy.unique());
  EXPECT_EQ(str(copy), "world");
  EXPECT_EQ(buffers().objects_in_use, 1u);
  copy = SharedBuffer();
  EXPECT_EQ(buffers().objects_in_use, 0u);
}

TEST_F(SharedBufferTest, SplitsPrefixesAndEnds) {
  SharedBuffer rest = text("abcdef");
  SharedBuffer first = rest.split(2);
  EXPECT_EQ(str(first), "ab");
  EXPECT_EQ(str(rest), "cdef");
  rest.truncate(3);
  rest.remove_prefix(1);
  EXPECT_EQ(str(rest), "de");
  EXPECT_EQ(str(rest.split(2)), "de");
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(rest.slice(0, 0).size(), 0u);
}

TEST_F(SharedBufferTest, ASliceOutsideIsABug) {
  SharedBuffer b = text("abc");
  EXPECT_DEATH(static_cast<void>(b.slice(4, 0)), "outside of its buffer");
  EXPECT_DEATH(static_cast<void>(b.slice(2, 2)), "outside of its buffer");
  EXPECT_DEATH(static_cast<void>(b.slice(1, SIZE_MAX)), "outside of its buffer");
}

TEST_F(SharedBufferTest, WritingWhatOthersReadIsABug) {
  SharedBuffer a = text("abc");
  a.writable()[0] = std::byte{'x'};
  EXPECT_EQ(str(a), "xbc");
  SharedBuffer b = a;
  EXPECT_DEATH(static_cast<void>(a.writable()), "only owner");
  b = SharedBuffer::of_static(as_bytes("static"));
  EXPECT_EQ(a.writable().size(), 3u);
  EXPECT_DEATH(static_cast<void>(b.writable()), "only owner");
}

TEST_F(SharedBufferTest, EverySizeIsAlignedAndWhole) {
  for (std::size_t bytes : {1u, 8u, 15u, 16u, 100u, 224u, 225u, 256u, 257u, 4064u, 4065u, 4096u,
                            5000u, 65'536u, 1'048'544u, 1'048'576u, 3'000'000u}) {
    auto b = SharedBuffer::make(bytes);
    ASSERT_TRUE(b.has_value()) << bytes;
    ASSERT_EQ(b->size(), bytes);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(b->data()) % 16, 0u) << bytes;
    std::memset(b->writable().data(), 0x5A, bytes);
    // From 257 bytes on the count in front costs nothing.
    if (bytes > 256 && bytes <= kMaxBlock)
      ASSERT_EQ(buffers().in_use_bytes, class_bytes(class_of(bytes))) << bytes;
  }
  EXPECT_EQ(buffers().objects_in_use, 0u);
  EXPECT_EQ(heap().objects_in_use, 0u);
}

TEST_F(SharedBufferTest, RefusalsOfThePoolAreErrors) {
  auto nothing = SharedBuffer::make(0);
  EXPECT_EQ(nothing.error(), Error(Errc::InvalidArgument, ""));
  ASSERT_TRUE(set_limit("buffers", 64 * kKiB).has_value());
  auto small = SharedBuffer::make(100'000);
  EXPECT_EQ(small.error(), Error(Errc::ResourceExhausted, "", Detail::Limit));
  std::vector<SharedBuffer> held;
  Result<SharedBuffer> more;
  while ((more = SharedBuffer::make(200)).has_value() && held.size() < 10'000)
    held.push_back(std::move(*more));
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error(), Error(Errc::ResourceExhausted, "", Detail::Limit));
}

TEST_F(SharedBufferTest, ALeaseIsSharedAndComesBackWithoutACopy) {
  Buffer lease_of = *lease(1000);
  std::memset(lease_of.data(), 'x', 1000);
  lease_of.resize(600);
  const std::byte* at = lease_of.data();
  SharedBuffer shared = *SharedBuffer::from(std::move(lease_of));
  EXPECT_FALSE(lease_of);  // NOLINT(bugprone-use-after-move): this is what is tested
  EXPECT_EQ(shared.data(), at);
  EXPECT_EQ(shared.size(), 600u);
  shared.truncate(500);
  Buffer back = *std::move(shared).into_buffer();
  EXPECT_EQ(back.data(), at);
  EXPECT_EQ(back.capacity(), 1000u);
  EXPECT_EQ(back.size(), 500u);
  EXPECT_TRUE(shared.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(heap().objects_in_use, 0u);
}

TEST_F(SharedBufferTest, OtherwiseABufferIsACopy) {
  Buffer lease_of = *lease(1000);
  std::memcpy(lease_of.data(), "abcdef", 6);
  lease_of.resize(6);
  SharedBuffer shared = *SharedBuffer::from(std::move(lease_of));
  SharedBuffer other = shared;
  Buffer copy = *std::move(shared).into_buffer();  // somebody else has a part
  EXPECT_NE(copy.data(), other.data());
  EXPECT_EQ(as_text(copy.bytes()), "abcdef");
  other.remove_prefix(2);
  Buffer tail = *std::move(other).into_buffer();  // not the first bytes
  EXPECT_EQ(as_text(tail.bytes()), "cdef");
  Buffer front = *text("in front").into_buffer();  // not made from a lease
  EXPECT_EQ(as_text(front.bytes()), "in front");
  Buffer fixed = *SharedBuffer::of_static(as_bytes("static")).into_buffer();
  EXPECT_EQ(as_text(fixed.bytes()), "static");
}

TEST_F(SharedBufferTest, CopiesAreCounted) {
  const uint64_t before = copied_bytes();
  SharedBuffer ten = text("0123456789");
  EXPECT_EQ(copied_bytes(), before + 10);
  SharedBuffer part = ten.slice(2, 5);
  SharedBuffer other = part;
  EXPECT_EQ(copied_bytes(), before + 10);
  Buffer buffer = *std::move(part).into_buffer();
  EXPECT_EQ(copied_bytes(), before + 15);
  SharedBuffer moved = *SharedBuffer::from(std::move(buffer));
  Buffer back = *std::move(moved).into_buffer();
  EXPECT_EQ(copied_bytes(), before + 15);
}

TEST_F(SharedBufferTest, WithoutMemoryForTheCountTheLeaseStays) {
  Buffer lease_of = *lease(1000);
  lease_of.resize(10);
  ASSERT_TRUE(set_limit("heap", 1).has_value());
  auto refused = SharedBuffer::from(std::move(lease_of));
  EXPECT_EQ(refused.error().code, Errc::ResourceExhausted);
  EXPECT_TRUE(lease_of);  // NOLINT(bugprone-use-after-move): this is what is tested
  EXPECT_EQ(lease_of.size(), 10u);
}

struct Watched {
  explicit Watched(int* gone) : gone_(gone) {}
  Watched(Watched&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  ~Watched() {
    if (gone_ != nullptr) ++*gone_;
  }
  int* gone_;
};

TEST_F(SharedBufferTest, AnOwnerLivesAsLongAsItsBytes) {
  int gone = 0;
  static constexpr char kBytes[] = "bytes of another";
  SharedBuffer whole = *SharedBuffer::adopt(Watched(&gone), as_bytes(kBytes));
  SharedBuffer part = whole.slice(0, 5);
  whole = SharedBuffer();
  EXPECT_EQ(gone, 0);
  EXPECT_EQ(str(part), "bytes");
  part = SharedBuffer();
  EXPECT_EQ(gone, 1);

  std::vector<std::byte> vector(3000, std::byte{7});
  const Bytes view = vector;
  SharedBuffer of_vector = *SharedBuffer::adopt(std::move(vector), view);
  EXPECT_EQ(of_vector.data()[2999], std::byte{7});
}

// Slices end on several threads; the block goes back once, whole, whoever is last.
TEST_F(SharedBufferTest, TheLastOwnerOnAnyThreadGivesItBack) {
  for (int round = 0; round < 300; ++round) {
    SharedBuffer whole = *SharedBuffer::make(round % 2 == 0 ? 512 : 4096);
    MutBytes bytes = whole.writable();
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(i + static_cast<std::size_t>(round));
    Meeting meeting;
    std::atomic<int> wrong{0};
    const auto work = [&](SharedBuffer mine) {
      meeting.wait();
      for (std::size_t i = 0; i < mine.size(); ++i) {
        SharedBuffer part = mine.slice(i, 1);
        if (part.data()[0] != mine.data()[i]) wrong.fetch_add(1);
        if (i % 16 == 0) spin(static_cast<int>(i % 7));
      }
    };
    const std::size_t half = whole.size() / 2;
    std::thread other(work, whole.split(half));
    work(std::move(whole));
    other.join();
    ASSERT_EQ(wrong.load(), 0);
  }
  EXPECT_EQ(buffers().objects_in_use, 0u);
}

}  // namespace
}  // namespace zokio::mem
