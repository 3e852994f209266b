// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/buffer.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using BufferTest = PoolsTest;

TEST_F(BufferTest, RefusesNothingAndTooMuch) {
  for (std::size_t bytes : {std::size_t{0}, kMaxBufferBytes + 1, SIZE_MAX}) {
    auto buffer = lease(bytes);
    ASSERT_FALSE(buffer.has_value()) << bytes;
    EXPECT_EQ(buffer.error(), Error(Errc::InvalidArgument, ""));
  }
  EXPECT_TRUE(lease(1).has_value());
  EXPECT_TRUE(lease(kMaxBufferBytes).has_value());
}

TEST_F(BufferTest, HasExactlyTheCapacityAskedForAndIsAligned) {
  const ScopedCache cache;
  for (std::size_t bytes = 1; bytes <= 70'000; bytes += bytes < 2'000 ? 1 : 613) {
    auto buffer = lease(bytes);
    ASSERT_TRUE(buffer.has_value());
    ASSERT_EQ(buffer->capacity(), bytes);
    ASSERT_EQ(buffer->space().size(), bytes);
    ASSERT_EQ(buffer->size(), 0u);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % 16, 0u) << bytes;
    std::ranges::fill(buffer->space(), std::byte{0xA5});
    buffer->resize(bytes / 2);
    ASSERT_EQ(buffer->bytes().size(), bytes / 2);
  }
}

TEST_F(BufferTest, MovesLeaveTheSourceEmptyAndFreeTheTarget) {
  Buffer a = *lease(100);
  a.resize(7);
  std::byte* data = a.data();
  Buffer b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): this is what is tested
  EXPECT_EQ(a.capacity(), 0u);
  EXPECT_EQ(a.size(), 0u);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(b.size(), 7u);
  EXPECT_EQ(buffers().objects_in_use, 1u);
  Buffer c = *lease(200);
  EXPECT_EQ(buffers().objects_in_use, 2u);
  c = std::move(b);
  EXPECT_EQ(buffers().objects_in_use, 1u);
  EXPECT_EQ(c.data(), data);
  Buffer& same = c;
  c = std::move(same);
  EXPECT_EQ(c.data(), data);
  c.reset();
  EXPECT_FALSE(c);
  EXPECT_EQ(buffers().objects_in_use, 0u);
}

TEST_F(BufferTest, ResizeBeyondTheCapacityIsABug) {
  Buffer a = *lease(10);
  EXPECT_DEATH(a.resize(11), "beyond its capacity");
}

TEST_F(BufferTest, FramesOfEverySizeAreAlignedAndUsable) {
  const ScopedCache cache;
  for (std::size_t bytes : {0u, 1u, 15u, 16u, 17u, 128u, 129u, 1000u, 9000u, 70'000u, 1'100'000u}) {
    void* frame = allocate_frame(bytes);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(frame) % 16, 0u) << bytes;
    std::memset(frame, 1, bytes);
    free_frame(frame, bytes);
  }
  free_frame(nullptr, 64);
}

}  // namespace
}  // namespace zokio::mem
