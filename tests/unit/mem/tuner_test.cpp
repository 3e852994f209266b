// SPDX-License-Identifier: Apache-2.0
// Room for lots goes to the classes that are missed, stays within its bound, and leaves those that
// are not. And what the pools hold in a steady state.

#include <map>
#include <span>

#include "mem/lot_policy.h"
#include "mem/thread_cache.h"
#include "pools_fixture.h"
#include "zokio/mem/allocate.h"
#include "zokio/mem/size_class.h"

namespace zokio::mem {
namespace {

using TunerTest = PoolsTest;

// More than two lots of a class, allocated and freed: each round goes to the central list.
void demand(unsigned cls, unsigned rounds) {
  static std::array<void*, 1200> all;
  const std::span live(all.data(), class_bytes(cls) > 512 ? 500 : all.size());
  for (unsigned round = 0; round < rounds; ++round) {
    for (void*& block : live) block = allocate(class_bytes(cls));
    for (void*& block : live) deallocate(block);
  }
}

const Magazine& magazine(const ScopedCache& cache, unsigned cls) {
  return cache.get()->magazine(static_cast<unsigned>(PoolId::Heap), cls);
}

// What all heap magazines have room for beyond their beginnings.
std::size_t grown_bytes(const ScopedCache& cache) {
  std::size_t bytes = 0;
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    const unsigned capacity = magazine(cache, cls).capacity;
    if (capacity > lot_policy.begin) bytes += 2 * (capacity - lot_policy.begin) * class_bytes(cls);
  }
  return bytes;
}

// Classes whose full lots take all the room of a thread.
std::vector<unsigned> first_classes() {
  return {class_of(1024), class_of(1280), class_of(1536), class_of(1792),
          class_of(2048), class_of(2560), class_of(3072), class_of(3584)};
}

TEST_F(TunerTest, CapacityFollowsTheDemand) {
  const ScopedCache cache;
  for (unsigned round = 0; round < 10; ++round) {
    for (const unsigned cls : first_classes()) demand(cls, 1);
  }
  const std::size_t full = grown_bytes(cache);
  EXPECT_LE(full, lot_policy.growth_bytes);
  EXPECT_GT(full, lot_policy.growth_bytes / 4 * 3);
  // Now others are wanted. They take the room that the first leave, and no more than there is.
  const unsigned late = class_of(4096);
  demand(late, 2);
  const unsigned before = magazine(cache, late).capacity;
  EXPECT_LT(before, magazine(cache, late).allowed);
  for (unsigned round = 0; round < 50; ++round) {
    demand(late, 20);
    ASSERT_LE(grown_bytes(cache), lot_policy.growth_bytes);
  }
  EXPECT_EQ(magazine(cache, late).capacity, magazine(cache, late).allowed);
  for (const unsigned cls : first_classes()) {
    EXPECT_EQ(magazine(cache, cls).capacity, lot_policy.begin) << class_bytes(cls);
    EXPECT_LE(magazine(cache, cls).count(), lot_policy.begin);
    EXPECT_LE(magazine(cache, cls).spare.count, lot_policy.begin);
  }
}

TEST_F(TunerTest, WithoutItTheFirstKeepTheRoom) {
  lot_policy.tuned = false;
  {
    const ScopedCache cache;
    for (unsigned round = 0; round < 10; ++round) {
      for (const unsigned cls : first_classes()) demand(cls, 1);
    }
    const std::size_t full = grown_bytes(cache);
    demand(class_of(4096), 1000);
    EXPECT_GE(grown_bytes(cache), full);
    EXPECT_LT(magazine(cache, class_of(4096)).capacity, magazine(cache, class_of(4096)).allowed);
  }
  lot_policy.tuned = true;
}

// A class that is used out of its magazine alone does not exchange and gives its room back, a half
// at a time; it is then missed and grows again. Never below what a magazine begins with.
TEST_F(TunerTest, WhatIsWantedAgainGrowsAgain) {
  const ScopedCache cache;
  const unsigned early = class_of(64);
  demand(early, 20);
  EXPECT_EQ(magazine(cache, early).capacity, magazine(cache, early).allowed);
  demand(class_of(4096), 1000);
  EXPECT_EQ(magazine(cache, early).capacity, lot_policy.begin);
  demand(early, 20);
  EXPECT_EQ(magazine(cache, early).capacity, magazine(cache, early).allowed);
}

// Blocks of a program's sizes, replaced at random; then a trim. `docs/memory.md` has what traces of
// real programs give.
TEST_F(TunerTest, SteadyStateAfterTrim) {
  constexpr std::size_t kLive = 200'000;
  constexpr std::array<std::size_t, 16> kSizes = {16, 24, 32, 32,  40,  48,  48,  64,
                                                  64, 72, 96, 128, 160, 200, 256, 512};
  const ScopedCache cache;
  uint64_t state = 7;
  const auto random = [&] {
    return (state = state * 6364136223846793005 + 1442695040888963407) >> 33;
  };
  std::vector<void*> live(kLive);
  for (void*& block : live) block = allocate(kSizes[random() % kSizes.size()]);
  std::map<uint64_t, ClassSnapshot> before;
  for (const ClassSnapshot& each : class_snapshots(PoolId::Heap)) before[each.block_bytes] = each;
  for (std::size_t i = 0; i < 5 * kLive; ++i) {
    void*& block = live[random() % kLive];
    deallocate(block);
    block = allocate(kSizes[random() % kSizes.size()]);
  }
  trim();
  const PoolSnapshot after = heap();
  unsigned compared = 0;
  for (const ClassSnapshot& each : after.classes) {
    const ClassSnapshot& past = before[each.block_bytes];
    const ClassSnapshot run{.hits_thread = each.hits_thread - past.hits_thread,
                            .hits_shared = each.hits_shared - past.hits_shared,
                            .misses_os = each.misses_os - past.misses_os};
    if (run.hits_thread < 1000) continue;
    ++compared;
    EXPECT_GT(run.hit_rate(), 0.95) << each.block_bytes;
    EXPECT_GT(run.reuse_rate(), 0.90) << each.block_bytes;
  }
  EXPECT_EQ(compared, 11u);
  EXPECT_LT(after.fragmentation(), 0.05);
  EXPECT_GT(after.fragmentation(), 0.0);
  for (void* block : live) deallocate(block);
}

}  // namespace
}  // namespace zokio::mem
