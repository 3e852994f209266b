// SPDX-License-Identifier: Apache-2.0
// Thread caches: parking, draining, ending, and what they do to the counts.

#include <latch>
#include <utility>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using CacheTest = PoolsTest;

// Leaves free blocks in this thread's cache.
void fill_cache() {
  std::vector<void*> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(allocate_frame(256));
  for (void* block : blocks) free_frame(block, 256);
}

TEST_F(CacheTest, IsPerThreadAndCanBeSet) {
  EXPECT_EQ(current_cache(), nullptr);
  ThreadCache* cache = acquire_thread_cache();
  ASSERT_NE(cache, nullptr);
  EXPECT_EQ(current_cache(), nullptr);
  set_current_cache(cache);
  EXPECT_EQ(current_cache(), cache);
  std::thread([] { EXPECT_EQ(current_cache(), nullptr); }).join();
  release_thread_cache(cache);
  EXPECT_EQ(current_cache(), nullptr);
  release_thread_cache(nullptr);
  park_thread_cache(nullptr);
  unpark_thread_cache(nullptr);
  drain_thread_cache(nullptr);
}

TEST_F(CacheTest, ServesAFreedBlockAgain) {
  const ScopedCache cache;
  void* first = allocate_frame(256);
  free_frame(first, 256);
  const uint64_t hits = frames().hits_thread;
  void* second = allocate_frame(250);
  EXPECT_EQ(second, first);
  EXPECT_EQ(frames().hits_thread, hits + 1);
  free_frame(second, 250);
}

TEST_F(CacheTest, ReleaseDrainsAndCountersGoOn) {
  {
    const ScopedCache cache;
    fill_cache();
    EXPECT_GT(frames().cached_bytes, 0u);
  }
  const PoolSnapshot before = [] {
    const ScopedCache cache;
    fill_cache();
    return frames();
  }();
  const PoolSnapshot after = frames();
  EXPECT_EQ(after.hits_thread, before.hits_thread);
  EXPECT_EQ(after.hits_shared, before.hits_shared);
  EXPECT_EQ(after.misses_os, before.misses_os);
  EXPECT_EQ(after.frees, before.frees);
  EXPECT_EQ(after.in_use_bytes, 0u);
  EXPECT_GT(after.hits_thread, 0u);
  // All blocks are in the central lists: no cache is left that could keep them.
  EXPECT_GT(trim(), 0u);
  EXPECT_EQ(frames().cached_bytes, 0u);
}

TEST_F(CacheTest, CountersNeverGoBackWhileCachesComeAndGo) {
  std::atomic<bool> stop{false};
  std::thread churner([&] {
    while (!stop) {
      const ScopedCache cache;
      fill_cache();
    }
  });
  PoolSnapshot last = frames();
  for (int i = 0; i < (kSanitized ? 2'000 : 20'000); ++i) {
    const PoolSnapshot now = frames();
    ASSERT_GE(now.hits_thread, last.hits_thread);
    ASSERT_GE(now.hits_shared, last.hits_shared);
    ASSERT_GE(now.misses_os, last.misses_os);
    ASSERT_GE(now.frees, last.frees);
    ASSERT_GE(now.refill_bytes, last.refill_bytes);
    last = now;
  }
  stop = true;
  churner.join();
}

TEST_F(CacheTest, AParkedCacheIsEmptiedByOthers) {
  std::latch parked(1);
  std::latch wake(1);
  std::thread sleeper([&] {
    const ScopedCache cache;
    fill_cache();
    park_thread_cache(cache.get());
    parked.count_down();
    wake.wait();
    unpark_thread_cache(cache.get());
    fill_cache();
  });
  parked.wait();
  EXPECT_GT(frames().cached_bytes, 0u);
  EXPECT_GT(trim(), 0u);
  EXPECT_EQ(frames().cached_bytes, 0u);
  wake.count_down();
  sleeper.join();
}

TEST_F(CacheTest, ARunningCacheFollowsAtItsNextFree) {
  std::latch filled(1);
  std::latch trimmed(1);
  std::latch freed(1);
  std::latch end(1);
  std::thread worker([&] {
    const ScopedCache cache;
    void* frame = allocate_frame(512);
    fill_cache();
    filled.count_down();
    trimmed.wait();
    free_frame(frame, 512);
    freed.count_down();
    end.wait();
  });
  filled.wait();
  trim();
  const uint64_t cached = frames().cached_bytes;
  EXPECT_GE(cached, 40u * 256) << "a running thread's cache is not touched by others";
  trimmed.count_down();
  freed.wait();
  trim();
  // The block freed last may be in the cache again and hold its span; the others are gone.
  EXPECT_LE(frames().cached_bytes, cached - 40 * 256);
  end.count_down();
  worker.join();
}

// An owner that parks and wakes all the time while another thread empties what it finds parked.
TEST_F(CacheTest, ParkingAndEmptyingNeverShareACache) {
  std::atomic<bool> stop{false};
  std::thread owner([&] {
    const ScopedCache cache;
    std::vector<std::pair<unsigned char*, unsigned char>> live;
    unsigned char tag = 0;
    for (int i = 0; i < (kSanitized ? 4'000 : 40'000); ++i) {
      auto* frame = static_cast<unsigned char*>(allocate_frame(300));
      std::memset(frame, ++tag, 300);
      live.emplace_back(frame, tag);
      if (live.size() == 48) {
        for (auto [block, mark] : live) {
          for (int at = 0; at < 300; ++at) ASSERT_EQ(block[at], mark);
          free_frame(block, 300);
        }
        live.clear();
        park_thread_cache(cache.get());
        std::this_thread::yield();
        unpark_thread_cache(cache.get());
      }
    }
    for (auto [block, mark] : live) free_frame(block, 300);
    stop = true;
  });
  uint64_t trims = 0;
  while (!stop) {
    trim();
    ++trims;
  }
  owner.join();
  EXPECT_GT(trims, 0u);
}

TEST_F(CacheTest, UnparkingARunningCacheIsABug) {
  const ScopedCache cache;
  EXPECT_DEATH(unpark_thread_cache(cache.get()), "without being parked");
}

}  // namespace
}  // namespace zokio::mem
