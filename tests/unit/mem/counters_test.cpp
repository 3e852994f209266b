// SPDX-License-Identifier: Apache-2.0
// Every figure of a pool is made to move, by the amount it should.

#include <sys/resource.h>

#include "pools_fixture.h"
#include "zokio/mem/size_class.h"

namespace zokio::mem {
namespace {

using CountersTest = PoolsTest;

TEST_F(CountersTest, NamesAndOrder) {
  const auto all = snapshots();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "frames");
  EXPECT_EQ(all[1].name, "buffers");
  EXPECT_EQ(all[2].name, "heap");
}

TEST_F(CountersTest, InUseAndObjectsCountBlocks) {
  const ScopedCache cache;
  void* a = allocate_frame(100);  // 112
  void* b = allocate_frame(1);    // 16
  void* c = allocate_frame(2 * kMiB + 1);
  EXPECT_EQ(frames().in_use_bytes, 112u + 16u + 2 * kMiB + 4096u);
  EXPECT_EQ(frames().objects_in_use, 3u);
  EXPECT_EQ(buffers().objects_in_use, 0u);
  const uint64_t frees = frames().frees;
  free_frame(a, 100);
  free_frame(b, 1);
  free_frame(c, 2 * kMiB + 1);
  EXPECT_EQ(frames().frees, frees + 3);
  EXPECT_EQ(frames().objects_in_use, 0u);
}

TEST_F(CountersTest, FreeOnAnotherThreadIsCountedToo) {
  for (bool cached : {false, true}) {
    const ScopedCache cache;
    const uint64_t frees = frames().frees;
    void* frame = allocate_frame(640);
    std::thread([&] {
      ThreadCache* other = cached ? acquire_thread_cache() : nullptr;
      set_current_cache(other);
      free_frame(frame, 640);
      release_thread_cache(other);
    }).join();
    EXPECT_EQ(frames().frees, frees + 1);
    EXPECT_EQ(frames().in_use_bytes, 0u);
  }
}

TEST_F(CountersTest, TiersThatServe) {
  const ScopedCache cache;
  const PoolSnapshot start = buffers();
  // Fresh memory: nothing is cached.
  Buffer first = *lease(4096);
  const PoolSnapshot fresh = buffers();
  EXPECT_EQ(fresh.misses_os, start.misses_os + 1);
  EXPECT_EQ(fresh.hits_thread, start.hits_thread);
  EXPECT_EQ(fresh.hits_shared, start.hits_shared);
  EXPECT_EQ((fresh.refill_bytes - start.refill_bytes) % 4096, 0u);
  EXPECT_EQ(fresh.refill_bytes - start.refill_bytes, fresh.in_use_bytes + fresh.cached_bytes);
  EXPECT_GT(fresh.cached_bytes, 0u) << "a refill brings more than one block";
  // The rest of the refill: the thread's cache.
  Buffer second = *lease(4096);
  EXPECT_EQ(buffers().hits_thread, start.hits_thread + 1);
  // Another thread without a cache frees to the central list and is served from there.
  std::thread([&, held = std::move(second)]() mutable {
    held.reset();
    EXPECT_TRUE(lease(4096).has_value());
  }).join();
  EXPECT_EQ(buffers().hits_shared, start.hits_shared + 1);
  EXPECT_EQ(buffers().misses_os, start.misses_os + 1);
}

TEST_F(CountersTest, CachedAndHighWater) {
  const ScopedCache cache;
  const uint64_t high = buffers().high_water_bytes;
  const std::size_t more = (high / kMaxBlock + 2);
  std::vector<Buffer> live;
  for (std::size_t i = 0; i < more; ++i) live.push_back(*lease(kMaxBlock));
  EXPECT_EQ(buffers().high_water_bytes, more * kMaxBlock);
  live.clear();
  const PoolSnapshot after = buffers();
  EXPECT_EQ(after.high_water_bytes, more * kMaxBlock) << "stays";
  EXPECT_GT(after.cached_bytes, 0u);
  EXPECT_EQ(after.in_use_bytes, 0u);
}

TEST_F(CountersTest, ReleasedBytesGrowWithTrim) {
  {
    Buffer buffer = *lease(128 * kKiB);
    std::memset(buffer.data(), 1, 128 * kKiB);
  }
  const uint64_t released = buffers().released_bytes;
  const uint64_t trimmed = trim();
  EXPECT_GE(trimmed, 128 * kKiB);
  EXPECT_EQ(buffers().released_bytes, released + trimmed);
}

TEST_F(CountersTest, LimitAndFailures) {
  const PoolSnapshot before = buffers();
  ASSERT_TRUE(set_limit("buffers", 4096).has_value());
  EXPECT_EQ(buffers().limit_bytes, 4096u);
  EXPECT_EQ(frames().limit_bytes, 0u);
  EXPECT_FALSE(lease(5000).has_value());
  EXPECT_FALSE(lease(2 * kMiB).has_value());
  EXPECT_EQ(buffers().failures_limit, before.failures_limit + 2);
  EXPECT_EQ(buffers().failures_os, before.failures_os);
}

// Address space runs out: an error, counted, and the pool is as before.
TEST_F(CountersTest, FailureOfTheSystem) {
  if (kSanitized) GTEST_SKIP() << "sanitizers map memory of their own at any time";
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &old), 0);
  const PoolSnapshot before = buffers();
  rlimit none = old;
  none.rlim_cur = 1;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &none), 0);
  auto large = lease(32 * kMiB);
  std::vector<Buffer> live;
  live.reserve(16);
  auto block = lease(kMaxBlock);
  while (block.has_value() && live.size() < 16) {
    live.push_back(*std::move(block));
    block = lease(kMaxBlock);
  }
  ASSERT_EQ(setrlimit(RLIMIT_AS, &old), 0);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error(), Error(Errc::ResourceExhausted, ""));
  ASSERT_FALSE(block.has_value()) << "a chunk has room for three of these";
  EXPECT_EQ(block.error(), Error(Errc::ResourceExhausted, ""));
  EXPECT_EQ(buffers().failures_os, before.failures_os + 2);
  EXPECT_EQ(buffers().failures_limit, before.failures_limit);
  live.clear();
}

}  // namespace
}  // namespace zokio::mem
