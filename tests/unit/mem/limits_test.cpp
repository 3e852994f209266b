// SPDX-License-Identifier: Apache-2.0
// Caps that change while memory is used.

#include <latch>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using LimitsTest = PoolsTest;

const Error kLimit(Errc::ResourceExhausted, "", Detail::Limit);

TEST_F(LimitsTest, UnknownPool) {
  EXPECT_EQ(set_limit("stacks", 1).error().code, Errc::NotFound);
  EXPECT_EQ(check_limit("stacks", 1).error().code, Errc::NotFound);
  EXPECT_EQ(find_pool("").error().code, Errc::NotFound);
  for (PoolId id : {PoolId::Frames, PoolId::Buffers, PoolId::Heap})
    EXPECT_EQ(find_pool(pool_name(id)), id);
}

TEST_F(LimitsTest, BuffersFailAtTheCapAndServeAgainBelowIt) {
  ASSERT_TRUE(set_limit("buffers", 1 * kMiB).has_value());
  for (bool cached : {false, true}) {
    ThreadCache* cache = cached ? acquire_thread_cache() : nullptr;
    set_current_cache(cache);
    std::vector<Buffer> live;
    while (auto buffer = lease(64 * kKiB)) live.push_back(*std::move(buffer));
    EXPECT_EQ(live.size(), 16u);
    EXPECT_EQ(lease(16).error(), kLimit);
    EXPECT_EQ(lease(2 * kMiB).error(), kLimit);
    live.pop_back();
    EXPECT_TRUE(lease(64 * kKiB).has_value());
    live.clear();
    release_thread_cache(cache);
  }
}

TEST_F(LimitsTest, CachedBlocksOfOneSizeMakeRoomForAnother) {
  const ScopedCache cache;
  ASSERT_TRUE(set_limit("buffers", 1 * kMiB).has_value());
  for (std::size_t bytes : {8 * kKiB, 1000 * kKiB, 3 * kKiB, 500 * kKiB, 100 * kKiB}) {
    std::vector<Buffer> live;
    while (auto buffer = lease(bytes)) live.push_back(*std::move(buffer));
    // A span of small blocks is 64 KiB, and all of them were free before.
    EXPECT_GE(live.size() * bytes * 4 / 3 + bytes, 1 * kMiB) << bytes;
    EXPECT_LE(buffers().in_use_bytes + buffers().cached_bytes, 1 * kMiB);
  }
}

TEST_F(LimitsTest, CacheOfAParkedThreadMakesRoom) {
  std::latch parked(1);
  std::latch end(1);
  std::thread sleeper([&] {
    const ScopedCache cache;
    std::vector<Buffer> live;
    for (int i = 0; i < 8; ++i) live.push_back(*lease(16 * kKiB));
    live.clear();
    park_thread_cache(cache.get());
    parked.count_down();
    end.wait();
    unpark_thread_cache(cache.get());
  });
  parked.wait();
  const uint64_t held = buffers().cached_bytes;
  EXPECT_GE(held, 128 * kKiB);
  ASSERT_TRUE(set_limit("buffers", held).has_value());
  EXPECT_TRUE(lease(100 * kKiB).has_value());
  end.count_down();
  sleeper.join();
}

TEST_F(LimitsTest, BelowTheBytesInUseIsRefusedWithoutForce) {
  Buffer used = *lease(512 * kKiB);
  auto refused = set_limit("buffers", 256 * kKiB);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::FailedPrecondition);
  EXPECT_EQ(buffers().limit_bytes, 0u) << "a refused change changes nothing";
  EXPECT_EQ(check_limit("buffers", 256 * kKiB).error().code, Errc::FailedPrecondition);
  EXPECT_TRUE(check_limit("buffers", 256 * kKiB, true).has_value());
  EXPECT_TRUE(check_limit("buffers", 512 * kKiB).has_value());
  EXPECT_EQ(buffers().limit_bytes, 0u) << "a check changes nothing";
  EXPECT_TRUE(set_limit("buffers", 512 * kKiB).has_value());
  EXPECT_EQ(set_total_limit(1).error().code, Errc::FailedPrecondition);
  EXPECT_EQ(total_limit(), 0u);
}

TEST_F(LimitsTest, ForcedLimitConvergesAsBlocksAreFreed) {
  const ScopedCache cache;
  std::vector<Buffer> live;
  for (int i = 0; i < 64; ++i) live.push_back(*lease(16 * kKiB));
  std::memset(live[0].data(), 7, 16 * kKiB);
  auto report = set_limit("buffers", 256 * kKiB, true);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->from, 0u);
  EXPECT_EQ(report->requested, 256 * kKiB);
  EXPECT_GE(report->held_bytes, 1024 * kKiB);
  EXPECT_EQ(report->residual_bytes, report->held_bytes - 256 * kKiB);
  EXPECT_TRUE(buffers().shrinking);
  EXPECT_EQ(lease(16).error(), kLimit);
  EXPECT_EQ(live[0].data()[16 * kKiB - 1], std::byte{7}) << "live blocks stay as they are";
  while (live.size() > 16) {
    EXPECT_TRUE(buffers().shrinking) << live.size();
    live.pop_back();
  }
  EXPECT_FALSE(buffers().shrinking);
  EXPECT_LE(buffers().in_use_bytes + buffers().cached_bytes, 256 * kKiB);
  live.clear();
  EXPECT_TRUE(lease(16 * kKiB).has_value());
}

TEST_F(LimitsTest, LoweringReturnsCachedBlocksAtOnce) {
  const ScopedCache cache;
  std::vector<Buffer> live;
  for (int i = 0; i < 64; ++i) {
    live.push_back(*lease(64 * kKiB));
    std::memset(live.back().data(), 1, 64 * kKiB);
  }
  live.clear();
  EXPECT_GE(buffers().cached_bytes, 4 * kMiB);
  auto report = set_limit("buffers", 128 * kKiB);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->residual_bytes, 0u);
  EXPECT_GE(report->released_bytes, 3 * kMiB);
  EXPECT_LE(report->held_bytes, 128 * kKiB);
  EXPECT_FALSE(buffers().shrinking);
}

TEST_F(LimitsTest, FramesGoBeyondTheCapAndComeBack) {
  for (bool cached : {false, true}) {
    ThreadCache* cache = cached ? acquire_thread_cache() : nullptr;
    set_current_cache(cache);
    ASSERT_TRUE(set_limit("frames", 64 * kKiB).has_value());
    const PoolSnapshot before = frames();
    std::vector<void*> live;
    for (int i = 0; i < 200; ++i) {
      live.push_back(allocate_frame(1024));
      std::memset(live.back(), i, 1024);
    }
    const PoolSnapshot full = frames();
    EXPECT_GE(full.failures_limit - before.failures_limit, 136u);
    EXPECT_GE(full.misses_os - before.misses_os, 136u);
    EXPECT_EQ(full.in_use_bytes, 200u * 1024);
    EXPECT_TRUE(full.shrinking);
    for (int i = 0; i < 200; ++i) {
      for (int at = 0; at < 1024; at += 64) {
        ASSERT_EQ(static_cast<unsigned char*>(live[i])[at], static_cast<unsigned char>(i));
      }
      free_frame(live[i], 1024);
    }
    EXPECT_FALSE(frames().shrinking);
    EXPECT_LE(frames().cached_bytes, 64 * kKiB);
    release_thread_cache(cache);
  }
}

TEST_F(LimitsTest, TotalLimitHoldsForBothPools) {
  ASSERT_TRUE(set_total_limit(1 * kMiB).has_value());
  EXPECT_EQ(total_limit(), 1 * kMiB);
  std::vector<void*> live;
  for (int i = 0; i < 12; ++i) live.push_back(allocate_frame(64 * kKiB));
  EXPECT_TRUE(lease(256 * kKiB).has_value());
  EXPECT_EQ(lease(320 * kKiB).error(), kLimit);
  for (int i = 0; i < 8; ++i) live.push_back(allocate_frame(64 * kKiB));
  EXPECT_TRUE(frames().shrinking);
  EXPECT_EQ(lease(16).error(), kLimit);
  EXPECT_EQ(set_total_limit(512 * kKiB).error().code, Errc::FailedPrecondition);
  for (void* block : live) free_frame(block, 64 * kKiB);
  EXPECT_FALSE(frames().shrinking);
  EXPECT_TRUE(lease(1000 * kKiB).has_value());
}

TEST_F(LimitsTest, SmallBlocksOfAShrinkingPoolAreNotCached) {
  const ScopedCache cache;
  std::vector<Buffer> small;
  for (int i = 0; i < 32; ++i) small.push_back(*lease(64));
  Buffer large = *lease(4 * kMiB);
  ASSERT_TRUE(set_limit("buffers", 1 * kMiB, true).has_value());
  small.clear();
  EXPECT_TRUE(buffers().shrinking);
  EXPECT_EQ(buffers().cached_bytes, 0u);
  large.reset();
  EXPECT_FALSE(buffers().shrinking);
  lease(64)->reset();
  EXPECT_GT(buffers().cached_bytes, 0u) << "caches serve again";
  const uint64_t hits = buffers().hits_thread;
  lease(64)->reset();
  EXPECT_EQ(buffers().hits_thread, hits + 1);
}

TEST_F(LimitsTest, RunningCacheKeepsNothingWhileItsPoolShrinks) {
  std::latch ready(1);
  std::latch lowered(1);
  std::latch done(1);
  std::latch end(1);
  std::thread worker([&] {
    const ScopedCache cache;
    std::vector<Buffer> live;
    for (int i = 0; i < 32; ++i) live.push_back(*lease(16 * kKiB));
    ready.count_down();
    lowered.wait();
    live.resize(8);
    done.count_down();
    end.wait();
  });
  ready.wait();
  ASSERT_TRUE(set_limit("buffers", 128 * kKiB, true).has_value());
  EXPECT_TRUE(buffers().shrinking);
  lowered.count_down();
  done.wait();
  EXPECT_FALSE(buffers().shrinking) << buffers().cached_bytes;
  EXPECT_EQ(buffers().in_use_bytes, 128 * kKiB);
  end.count_down();
  worker.join();
}

}  // namespace
}  // namespace zokio::mem
