// SPDX-License-Identifier: Apache-2.0
// The mode UltraFast: lots are as large as they may be although nobody counts, and the figures say
// what they still know.

#include <set>

#include "pools_fixture.h"
#include "zokio/mem/allocate.h"

namespace zokio::mem {
namespace {

static_assert(kMode == Mode::UltraFast);

using UltraFastTest = PoolsTest;

TEST_F(UltraFastTest, PairsAreNotCounted) {
  const ScopedCache cache;
  deallocate(allocate(64));
  const PoolSnapshot before = heap();
  for (int i = 0; i < 10'000; ++i) deallocate(allocate(64));
  EXPECT_EQ(heap().hits_thread, before.hits_thread);
  EXPECT_EQ(heap().frees, before.frees);
  EXPECT_EQ(heap().hits_shared + heap().misses_os, before.hits_shared + before.misses_os);
}

TEST_F(UltraFastTest, WhatAThreadKeepsIsInUseUntilItIsGivenBack) {
  const ScopedCache cache;
  void* const p = allocate(64);
  EXPECT_GE(heap().in_use_bytes, 64u);
  deallocate(p);
  EXPECT_GE(heap().in_use_bytes, 64u) << "in the magazine";
  drain_thread_cache(cache.get());
  EXPECT_EQ(heap().in_use_bytes, 0u);
  EXPECT_EQ(heap().objects_in_use, 0u);
}

TEST_F(UltraFastTest, AThreadKeepsNoMoreThanItsLots) {
  const ScopedCache cache;
  std::vector<void*> live;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 30'000; ++i) live.push_back(allocate(64));
    EXPECT_EQ(std::set<void*>(live.begin(), live.end()).size(), live.size());
    for (void* p : live) deallocate(p);
    live.clear();
    // Two lots of at most 512 blocks.
    EXPECT_LE(heap().objects_in_use, 1024u) << round;
    EXPECT_GT(heap().objects_in_use, 8u) << round << ": it keeps some";
  }
}

// Up and down around the border of a lot: nothing is lost, and the central lists are rarely asked.
TEST_F(UltraFastTest, AroundTheBorderOfALot) {
  const ScopedCache cache;
  std::vector<void*> live;
  for (int i = 0; i < 2000; ++i) live.push_back(allocate(128));
  for (void* p : live) deallocate(p);
  live.clear();
  const uint64_t refills = heap().hits_shared + heap().misses_os;
  for (int i = 0; i < 100'000; ++i) {
    if (i % 5 < 3 && live.size() < 300)
      live.push_back(allocate(128));
    else if (!live.empty())
      deallocate(std::exchange(live.back(), nullptr)), live.pop_back();
  }
  EXPECT_LE(heap().hits_shared + heap().misses_os - refills, 100u);
  for (void* p : live) deallocate(p);
}

TEST_F(UltraFastTest, BlocksWanderBetweenThreads) {
  constexpr int kBlocks = kSanitized ? 20'000 : 100'000;
  std::vector<std::atomic<unsigned char*>> slots(64);
  std::atomic<int> damaged{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      ThreadCache* const cache = t != 0 ? acquire_thread_cache() : nullptr;
      set_current_cache(cache);
      for (unsigned i = 0; i < kBlocks; ++i) {
        const std::size_t bytes = 16 + i * 7 % 500;
        auto* p = static_cast<unsigned char*>(allocate(bytes));
        std::memset(p, static_cast<int>(bytes % 251), bytes);
        p[0] = static_cast<unsigned char>(bytes % 256);
        p[1] = static_cast<unsigned char>(bytes / 256);
        p = slots[i * 31 % slots.size()].exchange(p);
        if (p == nullptr) continue;
        const std::size_t had = p[0] + std::size_t{256} * p[1];
        for (std::size_t at = 2; at < had; ++at) damaged += p[at] != had % 251;
        i % 2 == 0 ? deallocate(p) : deallocate(p, had);
      }
      release_thread_cache(cache);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& slot : slots) deallocate(slot.load());
  EXPECT_EQ(damaged, 0);
}

}  // namespace
}  // namespace zokio::mem
