// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <cstdint>
#include <random>
#include <set>

#include "pools_fixture.h"
#include "zokio/mem/allocate.h"

namespace zokio::mem {
namespace {

using HeapTest = PoolsTest;

bool is_aligned(const void* p, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

void fill(void* p, std::size_t bytes, uint64_t mark) {
  auto* data = static_cast<unsigned char*>(p);
  for (std::size_t at = 0; at < bytes; ++at) data[at] = static_cast<unsigned char>(mark * 31 + at);
}
bool intact(const void* p, std::size_t bytes, uint64_t mark) {
  const auto* data = static_cast<const unsigned char*>(p);
  for (std::size_t at = 0; at < bytes; ++at)
    if (data[at] != static_cast<unsigned char>(mark * 31 + at)) return false;
  return true;
}

TEST_F(HeapTest, EverySizeIsAlignedAndItsUsableBytesAreItsOwn) {
  const ScopedCache cache;
  for (std::size_t bytes = 0; bytes <= 3 * kMiB; bytes += 1 + bytes / 16) {
    void* p = allocate(bytes);
    void* neighbour = allocate(bytes);
    ASSERT_NE(p, nullptr) << bytes;
    ASSERT_GE(usable_size(p), bytes);
    ASSERT_TRUE(is_aligned(p, kAlignment)) << bytes;
    fill(p, usable_size(p), 1);
    fill(neighbour, usable_size(neighbour), 2);
    ASSERT_TRUE(intact(p, usable_size(p), 1)) << bytes;
    deallocate(p);
    deallocate(neighbour, bytes);
  }
}

TEST_F(HeapTest, SizesKnownToTheCompilerTakeStepsOfEight) {
  const ScopedCache cache;
  void* p = allocate<24, 8>();
  EXPECT_EQ(usable_size(p), 24u);
  EXPECT_EQ(heap().in_use_bytes, 24u);
  deallocate<24, 8>(p);
  p = allocate<24>();
  EXPECT_EQ(usable_size(p), 32u);
  EXPECT_TRUE(is_aligned(p, 16));
  deallocate<24>(p);
  EXPECT_EQ(heap().objects_in_use, 0u);
}

// More blocks of eight bytes than a thread keeps: too small for what larger ones carry while free.
TEST_F(HeapTest, ManyOfTheSmallest) {
  const ScopedCache cache;
  std::set<void*> live;
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(live.insert(allocate<8, 8>()).second);
  for (void* p : live) *static_cast<void**>(p) = p;
  for (void* p : live) ASSERT_EQ(*static_cast<void**>(p), p);
  for (void* p : live) deallocate<8, 8>(p);
}

TEST_F(HeapTest, AlignmentsUpToAChunk) {
  for (std::size_t alignment = 1; alignment <= kChunkBytes; alignment *= 2) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{100}, 40 * kKiB, 2 * kMiB}) {
      void* p = allocate_aligned(bytes, alignment);
      ASSERT_NE(p, nullptr) << bytes << " at " << alignment;
      EXPECT_TRUE(is_aligned(p, alignment)) << bytes << " at " << alignment;
      EXPECT_GE(usable_size(p), bytes);
      fill(p, bytes, 3);
      deallocate(p);
    }
  }
  EXPECT_EQ(allocate_aligned(1, 2 * kChunkBytes), nullptr);
}

TEST_F(HeapTest, ReallocateKeepsTheContent) {
  const ScopedCache cache;
  const std::size_t sizes[] = {1,        100,      3000,   kMiB,   5 * kMiB, 9 * kMiB,
                               5 * kMiB, 3 * kMiB, 40'000, 40'001, 16,       1};
  std::size_t before = 0;
  void* p = nullptr;
  for (const std::size_t bytes : sizes) {
    p = reallocate(p, bytes);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(intact(p, std::min(before, bytes), 5)) << before << " to " << bytes;
    fill(p, bytes, 5);
    before = bytes;
  }
  void* const same = reallocate(p, usable_size(p));
  EXPECT_EQ(same, p) << "it has the room";
  deallocate(same);
}

TEST_F(HeapTest, ZeroedAlsoWhenItWasUsedBefore) {
  const ScopedCache cache;
  for (const std::size_t bytes : {std::size_t{64}, 5000 * std::size_t{1}, 2 * kMiB}) {
    for (int round = 0; round < 3; ++round) {
      auto* p = static_cast<unsigned char*>(allocate_zeroed(bytes));
      for (std::size_t at = 0; at < bytes; ++at) ASSERT_EQ(p[at], 0) << bytes << " round " << round;
      fill(p, bytes, 7);
      deallocate(p);
    }
  }
}

TEST_F(HeapTest, ALargeObjectServesAgain) {
  const uint64_t mapped = heap().misses_os;
  const uint64_t again = heap().hits_shared;
  for (int i = 0; i < 10; ++i) {
    void* p = allocate(3 * kMiB);
    fill(p, 3 * kMiB, 1);
    deallocate(p);
  }
  EXPECT_EQ(heap().misses_os, mapped + 1);
  EXPECT_EQ(heap().hits_shared, again + 9);
  EXPECT_EQ(heap().cached_bytes, 3 * kMiB);
  EXPECT_GE(trim(), 3 * kMiB);
  EXPECT_EQ(heap().cached_bytes, 0u);
}

TEST_F(HeapTest, WhatIsKeptOfLargeObjectsIsBounded) {
  std::vector<void*> live;
  for (int i = 0; i < 40; ++i) live.push_back(allocate((2 + i % 4) * kMiB));
  for (void* p : live) deallocate(p);
  EXPECT_LE(heap().cached_bytes, 32 * kMiB);
  EXPECT_EQ(heap().in_use_bytes, 0u);
}

TEST_F(HeapTest, LimitsRefuseWithNull) {
  const ScopedCache cache;
  ASSERT_TRUE(set_limit("heap", 4 * kMiB).has_value());
  EXPECT_EQ(allocate(5 * kMiB), nullptr);
  std::vector<void*> live;
  while (void* p = allocate(10'000)) live.push_back(p);
  EXPECT_GT(live.size(), 300u);
  EXPECT_LE(live.size(), 4 * kMiB / 10'000);
  EXPECT_GT(heap().failures_limit, 0u);
  EXPECT_EQ(allocate_zeroed(10'000), nullptr);
  void* const kept = reallocate(live.back(), 20'000);
  EXPECT_EQ(kept, nullptr) << "and the old block stays";
  for (void* p : live) deallocate(p);
}

TEST_F(HeapTest, TheSystemRefuses) {
  EXPECT_EQ(allocate(kMaxAllocation + 1), nullptr);
  EXPECT_EQ(allocate(kMaxAllocation), nullptr);
  EXPECT_GT(heap().failures_os, 0u);
}

TEST_F(HeapTest, ForeignAndDoubleFreesAbort) {
  void* frame = allocate_frame(100);
  EXPECT_DEATH(deallocate(frame), "did not give out|poison");
  free_frame(frame, 100);
#ifndef ZOKIO_ASAN
  EXPECT_DEATH(
      {
        // Without a cache a block goes straight to its span, which looks at it.
        void* p = allocate(100);
        deallocate(p);
        deallocate(p);
      },
      "twice");
#endif
}

TEST_F(HeapTest, AThreadThatAttachesHasMagazines) {
  std::thread([] {
    ASSERT_TRUE(attach_thread());
    ASSERT_TRUE(attach_thread());
    void* p = allocate(100);
    deallocate(p);
    const uint64_t hits = heap().hits_thread;
    for (int i = 0; i < 10; ++i) deallocate(allocate(100));
    EXPECT_EQ(heap().hits_thread, hits + 10);
  }).join();
  // It ended, and what it kept went back.
  EXPECT_EQ(heap().objects_in_use, 0u);
}

TEST_F(HeapTest, MagazinesBeginSmallAndGrowWithUse) {
  const ScopedCache cache;
  const uint64_t refilled = heap().refill_bytes;
  deallocate(allocate(1000));
  EXPECT_LE(heap().refill_bytes - refilled, 10 * kKiB) << "one small lot";
  std::vector<void*> live;
  const uint64_t before = heap().hits_thread;
  for (int i = 0; i < 20'000; ++i) live.push_back(allocate(1000));
  EXPECT_GT(heap().hits_thread - before, 19'000u);
  for (void* p : live) deallocate(p);
}

// Blocks that live for a while and are freed by another thread, with whatever entry is at hand.
TEST_F(HeapTest, BlocksWanderBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kRounds = kSanitized ? 20'000 : 100'000;
  struct Block {
    void* p = nullptr;
    std::size_t bytes = 0;
    uint64_t mark = 0;
  };
  struct Shelf {
    std::mutex mutex;
    Block block;
  };
  std::vector<Shelf> shelves(64);
  std::atomic<int> damaged{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      if (t % 2 == 0) ASSERT_TRUE(attach_thread());
      std::mt19937_64 rng(17 + t);
      for (int i = 0; i < kRounds; ++i) {
        Block block;
        block.bytes = 1 + rng() % (std::size_t{16} << rng() % 10);
        if (rng() % 4000 == 0) block.bytes += kMaxBlock;
        block.mark = rng();
        block.p = rng() % 8 != 0 ? allocate(block.bytes)
                                 : allocate_aligned(block.bytes, std::size_t{1} << rng() % 10);
        fill(block.p, std::min<std::size_t>(block.bytes, 256), block.mark);
        {
          Shelf& shelf = shelves[rng() % shelves.size()];
          const std::scoped_lock lock(shelf.mutex);
          std::swap(shelf.block, block);
        }
        if (block.p == nullptr) continue;
        if (!intact(block.p, std::min<std::size_t>(block.bytes, 256), block.mark)) ++damaged;
        deallocate(block.p);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Shelf& shelf : shelves) deallocate(shelf.block.p);
  EXPECT_EQ(damaged, 0);
}

}  // namespace
}  // namespace zokio::mem
