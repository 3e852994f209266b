// SPDX-License-Identifier: Apache-2.0
#include "fiber/stack_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "mem/mapping.h"

namespace zokio::fibers {
namespace {

constexpr std::size_t kKiB = 1024;

std::vector<Stack*> take(StackPool& pool, std::size_t count, std::size_t bytes) {
  std::vector<Stack*> all;
  for (std::size_t i = 0; i < count; ++i) {
    Result<Stack*> stack = pool.acquire(bytes);
    EXPECT_TRUE(stack.has_value());
    std::memset((*stack)->bottom(), 1, (*stack)->bytes);
    all.push_back(*stack);
  }
  return all;
}

void give_back(StackPool& pool, const std::vector<Stack*>& all) {
  for (Stack* stack : all) pool.release(stack);
}

TEST(StackPool, RoundsUpAndRefusesWhatIsTooLarge) {
  StackPool pool;
  for (auto [asked, given] : {std::pair{std::size_t{0}, kMinStackBytes},
                              {kMinStackBytes, kMinStackBytes},
                              {kMinStackBytes + 1, 2 * kMinStackBytes},
                              {100 * kKiB, 128 * kKiB},
                              {kMaxStackBytes, kMaxStackBytes}}) {
    Result<Stack*> stack = pool.acquire(asked);
    ASSERT_TRUE(stack.has_value());
    EXPECT_EQ((*stack)->bytes, given);
    EXPECT_EQ((*stack)->bottom() + given, (*stack)->top());
    pool.release(*stack);
  }
  EXPECT_EQ(pool.acquire(kMaxStackBytes + 1).error().code, Errc::InvalidArgument);
}

TEST(StackPool, ReusesTheLastOneAndCounts) {
  StackPool pool;
  Stack* first = *pool.acquire(64 * kKiB);
  Stack* second = *pool.acquire(64 * kKiB);
  pool.release(first);
  pool.release(second);
  EXPECT_EQ(*pool.acquire(64 * kKiB), second);
  Stack* other = *pool.acquire(32 * kKiB);
  const StackSnapshot now = pool.snapshot();
  EXPECT_EQ(now.in_use, 2u);
  EXPECT_EQ(now.in_use_bytes, 96 * kKiB);
  EXPECT_EQ(now.cached, 1u);
  EXPECT_EQ(now.cached_bytes, 64 * kKiB);
  EXPECT_EQ(now.created, 3u);
  EXPECT_EQ(now.reused, 1u);
  EXPECT_EQ(now.high_water, 2u);
  EXPECT_EQ(now.high_water_bytes, 160 * kKiB);
  pool.release(second);
  pool.release(other);
  EXPECT_EQ(pool.snapshot().in_use, 0u);
}

TEST(StackPool, WarmUpToABoundThenColdThenGone) {
  StackPool pool;
  const std::size_t size = 1024 * kKiB;
  const std::size_t warm = kWarmBytes / size;
  const std::size_t cold = kColdBytes / size;
  // One touched page each would do; the sizes are kept small in memory by giving back early.
  std::vector<Stack*> all;
  for (std::size_t i = 0; i < warm + cold + 3; ++i) {
    all.push_back(*pool.acquire(size));
    std::memset(all.back()->top() - mem::kPageBytes, 1, mem::kPageBytes);
  }
  give_back(pool, all);
  const StackSnapshot now = pool.snapshot();
  EXPECT_EQ(now.cached, warm + cold);
  EXPECT_EQ(now.cached_bytes, kWarmBytes + kColdBytes);
  EXPECT_EQ(now.released_bytes, (cold + 3) * mem::kPageBytes);
  for (std::size_t i = 0; i < warm + cold; ++i)
    EXPECT_EQ(mem::resident_bytes(all[i]->bottom(), size), i < warm ? mem::kPageBytes : 0) << i;
  EXPECT_EQ(pool.trim(), warm * mem::kPageBytes);
  EXPECT_EQ(pool.snapshot().cached, 0u);
}

TEST(StackPool, CapHoldsAndMakesRoomFromOtherSizes) {
  StackPool pool;
  ASSERT_TRUE(pool.set_limit(256 * kKiB, false).has_value());
  auto all = take(pool, 4, 64 * kKiB);
  const Result<Stack*> refused = pool.acquire(64 * kKiB);
  EXPECT_EQ(refused.error().code, Errc::ResourceExhausted);
  EXPECT_EQ(refused.error().detail, Detail::Limit);
  EXPECT_EQ(pool.snapshot().failures_limit, 1u);
  give_back(pool, all);
  // The four cached ones stand in the way of this.
  Result<Stack*> large = pool.acquire(256 * kKiB);
  ASSERT_TRUE(large.has_value());
  EXPECT_EQ(pool.snapshot().cached, 0u);
  EXPECT_LE(pool.snapshot().high_water_bytes, 256 * kKiB);
  pool.release(*large);
}

TEST(StackPool, NumberIsBoundedToo) {
  StackPool pool(4);
  auto all = take(pool, 4, 16 * kKiB);
  EXPECT_EQ(pool.acquire(16 * kKiB).error().detail, Detail::Limit);
  pool.release(all.back());
  all.pop_back();
  Result<Stack*> other = pool.acquire(32 * kKiB);  // in the place of the cached one
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(pool.snapshot().cached, 0u);
  all.push_back(*other);
  give_back(pool, all);
}

TEST(StackPool, CapIsLoweredLive) {
  StackPool pool;
  auto all = take(pool, 8, 64 * kKiB);
  pool.release(all.back());
  all.pop_back();
  const Result<void> below_use = pool.set_limit(128 * kKiB, false);
  EXPECT_EQ(below_use.error().code, Errc::FailedPrecondition);
  EXPECT_EQ(pool.snapshot().limit_bytes, 0u);
  EXPECT_EQ(pool.snapshot().cached, 1u);
  ASSERT_TRUE(pool.set_limit(128 * kKiB, true).has_value());
  EXPECT_EQ(pool.snapshot().cached, 0u);
  give_back(pool, all);
  // Five came back above the cap and were unmapped.
  EXPECT_EQ(pool.snapshot().cached, 2u);
  EXPECT_EQ(pool.snapshot().cached_bytes, 128 * kKiB);
}

TEST(StackPoolDeathTest, GuardIsBelow) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  StackPool pool;
  Stack* stack = *pool.acquire(16 * kKiB);
  *stack->bottom() = std::byte{1};
  EXPECT_DEATH(*(stack->bottom() - 1) = std::byte{1}, "");
  EXPECT_DEATH(*(stack->bottom() - kGuardBytes) = std::byte{1}, "");
  pool.release(stack);
}

TEST(StackPool, ManyThreads) {
  StackPool pool;
  ASSERT_TRUE(pool.set_limit(1024 * kKiB, false).has_value());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&pool, t] {
      for (std::size_t i = 0; i < 2000; ++i) {
        // At most 4 * 128 KiB are in use, so the cap refuses nobody for good.
        Result<Stack*> stack = pool.acquire(16 * kKiB << (i + t) % 4);
        if (!stack.has_value()) continue;
        std::byte* const end = (*stack)->top() - 1;
        *end = static_cast<std::byte>(t);
        std::this_thread::yield();
        EXPECT_EQ(*end, static_cast<std::byte>(t));
        pool.release(*stack);
        if (i % 500 == 0) pool.trim();
      }
    });
  for (auto& thread : threads) thread.join();
  const StackSnapshot now = pool.snapshot();
  EXPECT_EQ(now.in_use, 0u);
  EXPECT_LE(now.high_water_bytes, 1024 * kKiB);
  EXPECT_GT(now.reused, 1000u);
}

}  // namespace
}  // namespace zokio::fibers
