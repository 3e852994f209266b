// SPDX-License-Identifier: Apache-2.0
// The mode Debug: each kind of damage is found, and said in one line that a person understands.

#include "zokio/mem/debug.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <string>
#include <thread>
#include <vector>

#include "zokio/base/sanitizer.h"
#include "zokio/mem/allocate.h"
#include "zokio/mem/buffer.h"
#include "zokio/mem/frame.h"
#include "zokio/mem/pools.h"
#include "zokio/mem/resource.h"
#include "zokio/mem/thread_cache.h"

namespace zokio::mem {
namespace {

static_assert(kMode == Mode::Debug);

class DebugTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  void TearDown() override {
    debug::check_all();
    debug::empty_quarantine();
    trim();
    for (const PoolSnapshot& pool : snapshots()) EXPECT_EQ(pool.in_use_bytes, 0u) << pool.name;
  }
};

// A write that the compiler cannot drop or move.
void poke(void* p, std::ptrdiff_t at, unsigned char value = 0) {
  static_cast<volatile unsigned char*>(p)[at] = value;
}

[[gnu::noinline]] void* allocate_here(std::size_t bytes) {
  void* p = allocate(bytes);
  asm volatile("" : "+r"(p) : : "memory");
  return p;
}
[[gnu::noinline]] void free_here(void* p) {
  deallocate(p);
  asm volatile("" : : : "memory");
}

TEST_F(DebugTest, OneByteBehindTheEndOfEverySize) {
  for (const std::size_t bytes :
       {0, 1, 7, 8, 15, 16, 17, 24, 100, 256, 257, 4096, 70'000, 1'048'576, 1'048'577, 3'000'000}) {
    void* p = allocate(bytes);
    EXPECT_DEATH(
        {
          poke(p, static_cast<std::ptrdiff_t>(bytes));
          deallocate(p);
        },
        "^zokio: memory: write behind a block, 1 byte from offset " + std::to_string(bytes) +
            ": block 0x[0-9a-f]+ of " + std::to_string(bytes) +
            " bytes in pool heap, allocation [0-9]+\n now:\n.*\n allocated by:\n");
    deallocate(p);
  }
}

TEST_F(DebugTest, ManyBytesBehindTheEndAndInFrontOfTheBegin) {
  void* p = allocate(24);
  EXPECT_DEATH(
      {
        std::memset(static_cast<char*>(p) + 24, 0, 5);
        deallocate(p, 24);
      },
      "write behind a block, 5 bytes from offset 24: ");
  EXPECT_DEATH(
      {
        poke(p, -1, 'x');
        deallocate(p);
      },
      "write in front of a block, 1 byte from offset -1: ");
  EXPECT_DEATH(
      {
        poke(p, -16, 'x');
        debug::check_all();
      },
      "write in front of a block, 1 byte from offset -16: ");
  deallocate(p);
}

TEST_F(DebugTest, AWriteAfterTheFreeIsFoundWhenTheBlockLeavesTheQuarantine) {
  void* p = allocate(100);
  EXPECT_DEATH(
      {
        free_here(p);
        poke(p, 3, 1);
        debug::empty_quarantine();
      },
      "^zokio: memory: write after the free, 1 byte from offset 3: block 0x[0-9a-f]+ of 100 bytes "
      "in "
      "pool heap, allocation [0-9]+\n allocated by:\n.*\n freed by:\n");
  EXPECT_DEATH(
      {
        free_here(p);
        poke(p, 99, 1);
        // Others push it out.
        for (int i = 0; i < 40; ++i) deallocate(allocate(1'000'000));
      },
      "write after the free, 1 byte from offset 99: ");
  deallocate(p);
}

TEST_F(DebugTest, SecondFree) {
  void* p = allocate_here(24);
  EXPECT_DEATH(
      {
        free_here(p);
        free_here(p);
      },
      "^zokio: memory: second free: block 0x[0-9a-f]+ of 24 bytes in pool heap, allocation "
      "[0-9]+\n now:\n.*\n allocated by:\n.*\n freed by:\n");
  EXPECT_DEATH(
      {
        std::thread(free_here, p).join();
        free_here(p);
      },
      "second free: ");
  free_here(p);
}

TEST_F(DebugTest, FreeOfWhatIsNoBlock) {
  void* p = allocate(100);
  int local = 0;
  static int global = 0;
  void* const plain = std::malloc(100);
  for (void* foreign : {static_cast<void*>(&local), static_cast<void*>(&global), plain,
                        reinterpret_cast<void*>(std::uintptr_t{16})})
    EXPECT_DEATH(deallocate(foreign),
                 "^zokio: memory: free of 0x[0-9a-f]+, which is no block\n now:\n");
  EXPECT_DEATH(deallocate(static_cast<char*>(p) + 8),
               "free of 0x[0-9a-f]+, which is 8 bytes into it: block 0x[0-9a-f]+ of 100 bytes");
  std::free(plain);
  deallocate(p);
}

TEST_F(DebugTest, WrongSizeAndWrongPool) {
  void* p = allocate(24);
  EXPECT_DEATH(deallocate(p, 25),
               "zokio: memory: free of 25 bytes: block 0x[0-9a-f]+ of 24 bytes in");
  EXPECT_DEATH(deallocate<32>(p), "free of 32 bytes: block 0x[0-9a-f]+ of 24 bytes in");
  EXPECT_DEATH(free_frame(p, 24),
               "free to the pool frames: block 0x[0-9a-f]+ of 24 bytes in pool heap");
  deallocate<24>(p);
  void* frame = allocate_frame(200);
  EXPECT_DEATH(deallocate(frame),
               "free to the pool heap: block 0x[0-9a-f]+ of 200 bytes in pool frames");
  EXPECT_DEATH(free_frame(frame, 208),
               "free of 208 bytes: block 0x[0-9a-f]+ of 200 bytes in pool frames");
  free_frame(frame, 200);
}

TEST_F(DebugTest, FramesBuffersAndTheResourceAreGuarded) {
  void* frame = allocate_frame(104);
  EXPECT_DEATH(
      {
        poke(frame, 104);
        free_frame(frame, 104);
      },
      "write behind a block, 1 byte from offset 104: block 0x[0-9a-f]+ of 104 bytes in pool "
      "frames");
  EXPECT_DEATH(
      {
        free_frame(frame, 104);
        poke(frame, 0);
        debug::check_all();
      },
      "write after the free, 1 byte from offset 0: block 0x[0-9a-f]+ of 104 bytes in pool frames");
  free_frame(frame, 104);

  EXPECT_DEATH(
      {
        Buffer buffer = *lease(1000);
        poke(buffer.data(), 1000);
        buffer.reset();
      },
      "write behind a block, 1 byte from offset 1000: block 0x[0-9a-f]+ of 1000 bytes in pool "
      "buffers");
  EXPECT_DEATH(
      {
        std::pmr::vector<char> text(50, 'x', &heap_resource());
        poke(text.data(), 50);
      },
      "write behind a block, 1 byte from offset 50: block 0x[0-9a-f]+ of 50 bytes in pool heap");
}

TEST_F(DebugTest, ReallocationLooksAtTheBlock) {
  void* p = allocate(24);
  EXPECT_DEATH(
      {
        poke(p, 24);
        p = reallocate(p, 48);
      },
      "write behind a block, 1 byte from offset 24");
  EXPECT_DEATH(
      {
        deallocate(p);
        p = reallocate(p, 48);
      },
      "reallocation of: block 0x[0-9a-f]+ of 24 bytes");
  void* const to = reallocate(p, 24);
  EXPECT_NE(to, p) << "moved, so that the old address is wrong";
  deallocate(to);
}

TEST_F(DebugTest, ContentAlignmentAndSizesAreThoseAskedFor) {
  for (const std::size_t bytes : {0, 1, 8, 100, 5000, 2'000'000}) {
    for (std::size_t alignment = 16; alignment <= kChunkBytes; alignment *= 4) {
      auto* p = static_cast<unsigned char*>(allocate_aligned(bytes, alignment));
      ASSERT_NE(p, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % alignment, 0u) << bytes;
      EXPECT_EQ(usable_size(p), bytes);
      std::memset(p, 0, bytes);
      deallocate(p);
    }
    auto* zeroed = static_cast<unsigned char*>(allocate_zeroed(bytes));
    EXPECT_TRUE(std::all_of(zeroed, zeroed + bytes, [](unsigned char c) { return c == 0; }));
    std::memset(zeroed, 7, bytes);
    auto* moved = static_cast<unsigned char*>(reallocate(zeroed, bytes + 1));
    EXPECT_TRUE(std::all_of(moved, moved + bytes, [](unsigned char c) { return c == 7; }));
    deallocate(moved);
  }
  auto* p = static_cast<unsigned char*>(allocate(64));
  EXPECT_TRUE(std::all_of(p, p + 64, [](unsigned char c) { return c == 0xCE; }));
  deallocate(p);
  EXPECT_EQ(p[0], 0xDF);
  EXPECT_EQ(p[63], 0xDF);
  EXPECT_EQ(allocate_aligned(1, 2 * kChunkBytes), nullptr);
  EXPECT_EQ(allocate(kMaxAllocation + 1), nullptr);
}

TEST_F(DebugTest, TheQuarantineIsBounded) {
  for (int i = 0; i < 100; ++i) deallocate(allocate(1'000'000));
  EXPECT_LE(snapshot(PoolId::Heap).in_use_bytes, uint64_t{16} << 20);
  EXPECT_GT(snapshot(PoolId::Heap).in_use_bytes, uint64_t{14} << 20);
  // One that would not fit goes at once.
  deallocate(allocate(20'000'000));
  EXPECT_GT(snapshot(PoolId::Heap).in_use_bytes, uint64_t{14} << 20);
  trim();
  EXPECT_EQ(snapshot(PoolId::Heap).in_use_bytes, 0u);
}

TEST_F(DebugTest, ABlockIsNotServedAgainWhileItIsHeldBack) {
  void* const p = allocate(64);
  deallocate(p);
  for (int i = 0; i < 1000; ++i) {
    void* const other = allocate(64);
    ASSERT_NE(other, p);
    deallocate(other);
  }
}

TEST_F(DebugTest, WhatIsHeldBackIsNoReasonToRefuse) {
  ASSERT_TRUE(set_limit("heap", 4 << 20).has_value());
  for (int i = 0; i < 100; ++i) {
    void* p = allocate(900'000);
    ASSERT_NE(p, nullptr) << i;
    deallocate(p);
  }
  EXPECT_EQ(allocate(5 << 20), nullptr);
  EXPECT_TRUE(set_limit("heap", 0).has_value());
}

[[gnu::noinline]] void leak(std::vector<void*>& out, int count, std::size_t bytes) {
#pragma nounroll  // one place
  for (int i = 0; i < count; ++i) out.push_back(allocate_here(bytes));
}

TEST_F(DebugTest, TheLeakReportGroupsByCallSite) {
  std::vector<void*> live;
  leak(live, 3, 1000);
  live.push_back(allocate_here(500));
  void* frame = allocate_frame(100);
  const std::vector<debug::LiveSite> report = debug::leak_report();
  ASSERT_EQ(report.size(), 3u);
  EXPECT_EQ(report[0].blocks, 3u);
  EXPECT_EQ(report[0].bytes, 3000u);
  EXPECT_EQ(report[1].blocks, 1u);
  EXPECT_EQ(report[1].bytes, 500u);
  EXPECT_EQ(report[2].bytes, 100u);
  EXPECT_EQ(report[2].pool, PoolId::Frames);
  ASSERT_GE(report[0].depth, 2u);
  EXPECT_EQ(report[0].frames[0], report[1].frames[0]) << "both in allocate_here";
  EXPECT_NE(report[0].frames, report[1].frames);
  const auto function = reinterpret_cast<std::uintptr_t>(&leak);
  EXPECT_TRUE(std::ranges::any_of(report[0].frames, [function](void* frame) {
    const auto at = reinterpret_cast<std::uintptr_t>(frame);
    return at > function && at < function + 4000;
  })) << "called by leak";
  for (void* p : live) deallocate(p);
  free_frame(frame, 100);
  EXPECT_TRUE(debug::leak_report().empty());
}

// In a process of its own, because it is at the exit, and because the environment is read once.
TEST_F(DebugTest, TheLeakReportAtTheExit) {
  EXPECT_EXIT(
      {
        ::setenv("ZOKIO_MEMORY_LEAKS", "1", 1);
        std::vector<void*> live;
        leak(live, 2, 321);
        std::exit(0);
      },
      ::testing::ExitedWithCode(0),
      "^zokio: memory: 2 blocks with 642 bytes in use, from 1 places\n 2 blocks with 642 bytes of "
      "pool "
      "heap:\n");
}

TEST_F(DebugTest, TheQuarantineOfTheEnvironment) {
  EXPECT_EXIT(
      {
        ::setenv("ZOKIO_MEMORY_QUARANTINE", "0", 1);
        void* p = allocate(64);
        deallocate(p);
        std::_Exit(snapshot(PoolId::Heap).in_use_bytes == 0 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(DebugTest, ThreadsShareIt) {
  std::vector<std::thread> threads;
  std::vector<std::vector<void*>> left(4);
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([t, &left] {
      if (t % 2 == 0) attach_thread();
      std::vector<void*> live(64);
      for (unsigned i = 0; i < 5000; ++i) {
        void*& p = live[i * 7 % live.size()];
        deallocate(p);
        const std::size_t bytes = 1 + i * 37 % 3000;
        p = allocate(bytes);
        std::memset(p, static_cast<int>(t), bytes);
      }
      left[t] = std::move(live);
    });
  }
  for (std::thread& thread : threads) thread.join();
  debug::check_all();
  for (auto& live : left)
    for (void* p : live) deallocate(p);
}

}  // namespace
}  // namespace zokio::mem
