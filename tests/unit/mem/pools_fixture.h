// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pools are process-wide, so each test starts from empty pools without limits and has to leave
// them so: everything freed, and nothing left that trim cannot give back.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "mem/poison.h"
#include "zokio/base/sanitizer.h"
#include "zokio/mem/buffer.h"
#include "zokio/mem/frame.h"
#include "zokio/mem/pools.h"
#include "zokio/mem/thread_cache.h"

namespace zokio::mem {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

class PoolsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Sanitizers run a thread of their own, beside which a plain fork is not safe.
    if (kSanitized) GTEST_FLAG_SET(death_test_style, "threadsafe");
    expect_empty("before the test");
  }
  void TearDown() override {
    EXPECT_TRUE(set_total_limit(0).has_value());
    for (const char* pool : {"frames", "buffers", "heap"}) EXPECT_TRUE(set_limit(pool, 0).has_value());
    expect_empty("after the test");
  }

 private:
  static void expect_empty(const char* when) {
    ASSERT_EQ(current_cache(), nullptr) << when;
    trim();
    for (const PoolSnapshot& pool : snapshots()) {
      EXPECT_EQ(pool.in_use_bytes, 0u) << pool.name << when;
      EXPECT_EQ(pool.objects_in_use, 0u) << pool.name << when;
      EXPECT_EQ(pool.cached_bytes, 0u) << pool.name << when;
      EXPECT_FALSE(pool.shrinking) << pool.name << when;
    }
  }
};

// A cache for this thread for as long as this lives.
class ScopedCache {
 public:
  ScopedCache() : cache_(acquire_thread_cache()) { set_current_cache(cache_); }
  ~ScopedCache() { release_thread_cache(cache_); }
  ScopedCache(const ScopedCache&) = delete;
  ScopedCache& operator=(const ScopedCache&) = delete;
  ThreadCache* get() const { return cache_; }

 private:
  ThreadCache* cache_;
};

// Each test with a cache of its own, so that it does not move the thread towards the one that
// outside_cache.h gives to those who allocate much.
class CachedPoolsTest : public PoolsTest {
 protected:
  void SetUp() override {
    PoolsTest::SetUp();
    cache_.emplace();
  }
  void TearDown() override {
    cache_.reset();
    PoolsTest::TearDown();
  }

 private:
  std::optional<ScopedCache> cache_;
};

inline PoolSnapshot frames() {
  return snapshot(PoolId::Frames);
}
inline PoolSnapshot heap() {
  return snapshot(PoolId::Heap);
}
inline PoolSnapshot buffers() {
  return snapshot(PoolId::Buffers);
}

// Waits until `condition` holds, for at most a minute.
template <class F>
bool eventually(F condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// Where two threads meet and go on within nanoseconds of each other, which a barrier that sleeps
// does not give. Yields when the other does not come soon.
class Meeting {
 public:
  void wait() {
    const unsigned round = arrived_.fetch_add(1) / 2;
    for (int spins = 0; arrived_.load() < 2 * (round + 1); ++spins) {
      if (spins > 2000) std::this_thread::yield();
    }
  }

 private:
  std::atomic<unsigned> arrived_{0};
};

inline void spin(int count) {
  for (volatile int i = 0; i < count; i = i + 1) {
  }
}

}  // namespace zokio::mem
