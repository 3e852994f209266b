// SPDX-License-Identifier: Apache-2.0
//
// Caps of the pools, of their caches and of all pools together are changed at random while threads
// take blocks, fill them, hand them to each other, check them and free them. Nothing may be
// corrupted, a cap without `force` is never below what is in use, and in the end everything is
// back. Then: what a shrink gives back is gone for the kernel, too. ZOKIO_CAPS_CHANGES=n changes;
// the short form is part of every run, the long one has its own label.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "seed.h"
#include "zokio/base/sanitizer.h"
#include "zokio/mem/allocate.h"
#include "zokio/mem/buffer.h"
#include "zokio/mem/frame.h"
#include "zokio/mem/pools.h"
#include "zokio/mem/thread_cache.h"

namespace zokio::mem {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// One block of any pool, and what is in it.
struct Block {
  PoolId pool = PoolId::Heap;
  void* memory = nullptr;
  std::size_t bytes = 0;
  uint64_t pattern = 0;
  Buffer buffer;
};

void fill(const Block& block) {
  auto* words = static_cast<uint64_t*>(block.memory);
  const std::size_t count = block.bytes / 8;
  for (std::size_t i = 0; i < count; i += std::max<std::size_t>(1, count / 64))
    words[i] = block.pattern + i;
  words[count - 1] = block.pattern + count - 1;
}
bool is_filled(const Block& block) {
  const auto* words = static_cast<const uint64_t*>(block.memory);
  const std::size_t count = block.bytes / 8;
  bool ok = words[count - 1] == block.pattern + count - 1;
  for (std::size_t i = 0; i < count; i += std::max<std::size_t>(1, count / 64))
    ok &= words[i] == block.pattern + i;
  return ok;
}

// Mostly small, some of every size up to large objects.
std::size_t any_size(Rng& rng) {
  const uint64_t dice = rng.next() % 100;
  const unsigned bits = dice < 70 ? 11 : dice < 95 ? 16 : dice < 99 ? 20 : 22;
  return (8 + rng.next() % (std::size_t{1} << (4 + rng.next() % (bits - 3)))) & ~std::size_t{7};
}

Block take(Rng& rng) {
  Block block;
  block.pool = static_cast<PoolId>(rng.next() % 3);
  block.bytes = any_size(rng);
  block.pattern = rng.next();
  if (block.pool == PoolId::Frames) {
    block.bytes = std::min(block.bytes, std::size_t{32} << 10);
    block.memory = allocate_frame(block.bytes);
  } else if (block.pool == PoolId::Heap) {
    block.memory = allocate(block.bytes);
  } else if (auto leased = lease(block.bytes)) {
    block.buffer = *std::move(leased);
    block.memory = block.buffer.data();
  }
  if (block.memory != nullptr) fill(block);
  return block;
}

void give(Block block) {
  if (block.pool == PoolId::Frames) free_frame(block.memory, block.bytes);
  if (block.pool == PoolId::Heap) deallocate(block.memory, block.bytes);
}

struct Storm {
  static constexpr unsigned kPlaces = 64;
  static constexpr std::size_t kMostBlocks = 400;  // of one thread

  std::atomic<bool> stop{false};
  std::atomic<uint64_t> taken{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> wrong{0};
  // Where blocks change hands.
  std::mutex mutexes[kPlaces];
  Block places[kPlaces];

  void check_and_give(Block block) {
    if (block.memory == nullptr) return;
    if (!is_filled(block)) wrong.fetch_add(1);
    give(std::move(block));
  }

  void work(uint64_t seed, bool cached) {
    Rng rng(seed);
    ThreadCache* cache = cached ? acquire_thread_cache() : nullptr;
    if (cached) set_current_cache(cache);
    std::vector<Block> own;
    while (!stop.load(std::memory_order_relaxed)) {
      Block block = take(rng);
      (block.memory != nullptr ? taken : refused).fetch_add(1, std::memory_order_relaxed);
      if (block.memory != nullptr) own.push_back(std::move(block));
      // Up and down, so that pools are now full and now empty.
      const bool fewer = own.size() >= kMostBlocks || rng.next() % 256 == 0;
      while (fewer && own.size() > kMostBlocks / 4) drop_one(own, rng);
      if (!own.empty() && rng.next() % 2 == 0) swap_one(own, rng);
      if (cached && rng.next() % 512 == 0) {  // as a worker that sleeps
        park_thread_cache(cache);
        std::this_thread::yield();
        unpark_thread_cache(cache);
      }
    }
    while (!own.empty()) drop_one(own, rng);
    if (cached) release_thread_cache(cache);
  }

  void drop_one(std::vector<Block>& own, Rng& rng) {
    std::swap(own[rng.next() % own.size()], own.back());
    check_and_give(std::move(own.back()));
    own.pop_back();
  }
  void swap_one(std::vector<Block>& own, Rng& rng) {
    const std::size_t place = rng.next() % kPlaces;
    const std::scoped_lock lock(mutexes[place]);
    std::swap(places[place], own.back());
    if (own.back().memory == nullptr) own.pop_back();
  }
};

unsigned changes_wanted() {
  const char* text = std::getenv("ZOKIO_CAPS_CHANGES");
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 400;
}

// One change at random; false when it broke a promise.
bool change(Rng& rng) {
  constexpr const char* kNames[] = {"frames", "buffers", "heap"};
  const unsigned which = static_cast<unsigned>(rng.next() % 3);
  const char* name = kNames[which];
  // Now far below, now far above what the threads want; sometimes none.
  const uint64_t bytes =
      rng.next() % 8 == 0 ? 0 : rng.next() % (uint64_t{1} << (16 + rng.next() % 10));
  const bool force = rng.next() % 2 == 0;
  switch (rng.next() % 8) {
    case 0:
      static_cast<void>(set_total_limit(bytes * 2, force).has_value());
      return true;
    case 1: {
      PoolSettings to = settings(static_cast<PoolId>(which));
      to.thread_cache_bytes = rng.next() % 3 == 0 ? 0 : rng.next() % kMiB;
      to.central_cache_bytes = rng.next() % 3 == 0 ? 0 : rng.next() % (8 * kMiB);
      if (which != 0) to.when_full = rng.next() % 2 == 0 ? WhenFull::Fail : WhenFull::Overflow;
      return set_settings(name, to).has_value();
    }
    case 2:
      if (rng.next() % 4 == 0) set_pressure(rng.next() % 2 == 0);
      set_huge_pages(rng.next() % 2 == 0);
      return true;
    case 3: {
      static std::atomic<int64_t> now_ns{0};  // decay as if ten seconds passed each time
      tend(Instant{now_ns.fetch_add(10'000'000'000)});
      return true;
    }
    default: {
      const auto report = set_limit(name, bytes, force);
      if (!report.has_value()) return !force && report.error().code == Errc::FailedPrecondition;
      return report->requested == bytes;
    }
  }
}

void no_limits() {
  EXPECT_TRUE(set_total_limit(0).has_value());
  set_pressure(false);
  set_huge_pages(false);
  for (const char* name : {"frames", "buffers", "heap"}) {
    EXPECT_TRUE(set_limit(name, 0).has_value());
    const WhenFull policy = name[0] == 'f' ? WhenFull::Overflow : WhenFull::Fail;
    EXPECT_TRUE(set_settings(name, {.when_full = policy}).has_value());
  }
}

TEST(CapsStorm, NothingIsCorruptedAndAllComesBack) {
  ZOKIO_SEED_TRACE();
  const uint64_t seed = test::test_seed();
  Rng rng(seed);
  Storm storm;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&storm, i, seed] { storm.work(seed * 31 + i, i % 2 == 0); });
  const unsigned changes = changes_wanted();
  unsigned broken = 0;
  uint64_t seen = 0;
  for (unsigned i = 0; i < changes; ++i) {
    if (!change(rng)) ++broken;
    // Some work between two changes, however the threads share the processors.
    const uint64_t until = seen + 20;
    while ((seen = storm.taken.load() + storm.refused.load()) < until) std::this_thread::yield();
  }
  storm.stop = true;
  for (auto& thread : threads) thread.join();
  for (Block& block : storm.places) storm.check_and_give(std::move(block));
  EXPECT_EQ(storm.wrong.load(), 0u);
  EXPECT_EQ(broken, 0u);
  EXPECT_GT(storm.taken.load(), changes);
  no_limits();
  trim();
  for (const PoolSnapshot& pool : snapshots()) {
    EXPECT_EQ(pool.in_use_bytes, 0u) << pool.name;
    EXPECT_EQ(pool.cached_bytes, 0u) << pool.name;
    EXPECT_EQ(pool.residual_bytes, 0u) << pool.name;
    EXPECT_EQ(pool.huge_bytes, 0u) << pool.name;
  }
  EXPECT_EQ(memory_snapshot().held_bytes, 0u);
  std::printf("%u changes, %llu blocks, %llu refused\n", changes,
              static_cast<unsigned long long>(storm.taken.load()),
              static_cast<unsigned long long>(storm.refused.load()));
}

// The sum of all resident pages, as the kernel has it now and not as it was counted lately.
uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/smaps_rollup", "r");
  if (file == nullptr) return 0;
  char line[256];
  unsigned long long kib = 0;
  while (std::fgets(line, sizeof line, file) != nullptr &&
         std::sscanf(line, "Rss: %llu", &kib) != 1) {
  }
  std::fclose(file);
  return kib * 1024;
}

// A tenth of the blocks stay in use, spread over all: the pool is shrunk below what they and their
// neighbours hold, and what goes must be gone for the kernel.
TEST(CapsStorm, ShrunkBytesAreBackWithTheKernel) {
  if (resident_bytes() == 0) GTEST_SKIP() << "no /proc/self/smaps_rollup";
  constexpr uint64_t kBytes = 96 * kMiB;
  for (const std::size_t bytes : {std::size_t{512}, std::size_t{16} << 10, std::size_t{2} << 20}) {
    std::vector<Buffer> blocks;
    for (uint64_t sum = 0; sum < kBytes; sum += bytes) {
      blocks.push_back(*lease(bytes));
      std::memset(blocks.back().data(), 1, bytes);
    }
    const uint64_t full = resident_bytes();
    const uint64_t target = kBytes / 8;
    const auto begin = std::chrono::steady_clock::now();
    const auto report = set_limit("buffers", target, true);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(snapshot(PoolId::Buffers).state, PoolState::Shrinking);
    // The users let go, from the last to the first as they came to an end; some stay.
    const std::size_t stay = blocks.size() / 10;
    while (blocks.size() > stay) blocks.pop_back();
    const PoolSnapshot after = snapshot(PoolId::Buffers);
    EXPECT_EQ(after.state, PoolState::AtTarget);
    const uint64_t shrunk = kBytes - target;
    uint64_t back = 0;
    auto took = begin - begin;
    do {
      const uint64_t now = resident_bytes();
      back = full > now ? full - now : 0;
      took = std::chrono::steady_clock::now() - begin;
    } while (back < shrunk / 10 * 8 && took < std::chrono::seconds(60));
    EXPECT_GE(back, shrunk / 10 * 8) << bytes;
    EXPECT_GE(after.shrink_released_bytes, shrunk / 10 * 9) << "what is reported";
    // Sanitizers keep a shadow that goes too, or stays.
    if (!kSanitized) EXPECT_LE(after.shrink_released_bytes, back + back / 10) << "is true";
    std::printf("blocks of %zu: %.1f MiB of %.1f shrunk are back after %.3f s\n", bytes,
                static_cast<double>(back) / kMiB, static_cast<double>(shrunk) / kMiB,
                std::chrono::duration<double>(took).count());
    blocks.clear();
    no_limits();
    trim();
  }
}

}  // namespace
}  // namespace zokio::mem
