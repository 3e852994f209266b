// SPDX-License-Identifier: Apache-2.0
// Thread caches: parking, draining, ending, and what they do to the counts.

#include <array>
#include <latch>
#include <stop_token>

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

// A thread that goes on allocating without one gets one, which is parked between two uses.
TEST_F(CacheTest, BusyOutsideThreadsGetOne) {
  const uint64_t before = frames().hits_thread;
  std::latch filled(1);
  std::latch trimmed(1);
  std::thread outside([&] {
    for (int round = 0; round < 20; ++round) fill_cache();
    EXPECT_EQ(current_cache(), nullptr);
    filled.count_down();
    trimmed.wait();
    fill_cache();
  });
  filled.wait();
  EXPECT_GT(frames().hits_thread, before + 400);
  EXPECT_EQ(frames().objects_in_use, 0u);
  trim();
  EXPECT_EQ(frames().cached_bytes, 0u);
  trimmed.count_down();
  outside.join();
  trim();  // its end gave the blocks back
  EXPECT_EQ(frames().cached_bytes, 0u);
}

TEST_F(CacheTest, CountersNeverGoBackWhileCachesComeAndGo) {
  const std::jthread churner([](std::stop_token stop) {
    while (!stop.stop_requested()) {
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

// A trim that runs while the owner goes to sleep: one of the two empties the cache.
TEST_F(CacheTest, TrimAndParkNeverMissEachOther) {
  constexpr int kRounds = 4'000;
  Meeting sync;
  int missed = 0;
  std::thread owner([&] {
    const ScopedCache cache;
    for (int i = 0; i < kRounds; ++i) {
      free_frame(allocate_frame(256), 256);
      sync.wait();
      park_thread_cache(cache.get());
      sync.wait();
      unpark_thread_cache(cache.get());
      const uint64_t hits = frames().hits_thread;
      void* frame = allocate_frame(256);
      missed += frames().hits_thread != hits;
      free_frame(frame, 256);
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    sync.wait();
    spin(i * 37 % 4096);
    trim();
    sync.wait();
  }
  owner.join();
  EXPECT_EQ(missed, 0);
}

// An owner that parks and wakes all the time while others empty what they find parked.
TEST_F(CacheTest, ParkingAndEmptyingNeverShareACache) {
  std::atomic<bool> intact{true};
  std::atomic<uint64_t> trims{0};
  const auto empty = [&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      trim();
      ++trims;
    }
  };
  const std::jthread first(empty);
  const std::jthread second(empty);
  const ScopedCache cache;
  const int rounds = kSanitized ? 10'000 : 30'000;
  for (int i = 0; i < rounds || trims < 100; ++i) {
    std::array<unsigned char*, 8> live{};
    for (std::size_t n = 0; n < live.size(); ++n) {
      live[n] = static_cast<unsigned char*>(allocate_frame(40 * n + 8));
      std::memset(live[n], static_cast<int>(i + n), 40 * n + 8);
    }
    for (std::size_t n = 0; n < live.size(); ++n) {
      const auto mark = static_cast<unsigned char>(i + n);
      for (std::size_t at = 0; at < 40 * n + 8; ++at) {
        if (live[n][at] != mark) intact = false;
      }
      free_frame(live[n], 40 * n + 8);
    }
    park_thread_cache(cache.get());
    if (i % 8 == 0) free_frame(allocate_frame(300), 300);
    if (i % 2 == 0) std::this_thread::yield();
    unpark_thread_cache(cache.get());
  }
  EXPECT_TRUE(intact);
}

TEST_F(CacheTest, AParkedThreadIsServedByTheCentralLists) {
  const ScopedCache cache;
  fill_cache();
  void* before = allocate_frame(256);
  park_thread_cache(cache.get());
  EXPECT_EQ(current_cache(), nullptr);
  const PoolSnapshot parked = frames();
  free_frame(before, 256);
  free_frame(allocate_frame(256), 256);
  EXPECT_EQ(frames().hits_thread, parked.hits_thread);
  EXPECT_EQ(frames().frees, parked.frees + 2);
  unpark_thread_cache(cache.get());
  EXPECT_EQ(current_cache(), cache.get());
  free_frame(allocate_frame(256), 256);
  EXPECT_EQ(frames().hits_thread, parked.hits_thread + 1);
}

TEST_F(CacheTest, UnparkingARunningCacheIsABug) {
  const ScopedCache cache;
  EXPECT_DEATH(unpark_thread_cache(cache.get()), "without being parked");
}

}  // namespace
}  // namespace zokio::mem
