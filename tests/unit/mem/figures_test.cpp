// SPDX-License-Identifier: Apache-2.0
// The figures by class, and what follows from them: each is made to move, by the amount it should.

#include <fstream>
#include <string>

#include <sys/syscall.h>
#include <unistd.h>

#include "mem/mapping.h"
#include "mem/pool.h"
#include "mem/thread_cache.h"
#include "pools_fixture.h"
#include "zokio/mem/size_class.h"

namespace zokio::mem {
namespace {

using FiguresTest = PoolsTest;

ClassSnapshot class_of_pool(PoolId id, std::size_t bytes) {
  for (const ClassSnapshot& each : class_snapshots(id)) {
    if (each.block_bytes == bytes) return each;
  }
  return {};
}

constexpr std::size_t kBytes = 64;  // a class whose lots have 64 blocks in the pool of frames
constexpr unsigned kLot = 64;

std::vector<void*> take_frames(unsigned count) {
  std::vector<void*> taken;
  for (unsigned i = 0; i < count; ++i) taken.push_back(allocate_frame(kBytes));
  return taken;
}
void free_frames(const std::vector<void*>& taken) {
  for (void* frame : taken) free_frame(frame, kBytes);
}

TEST_F(FiguresTest, RefillsFlushesAndLocks) {
  const ScopedCache cache;
  const ClassSnapshot before = class_of_pool(PoolId::Frames, kBytes);
  const PoolSnapshot pool_before = frames();
  const auto now = [] { return class_of_pool(PoolId::Frames, kBytes); };
  std::vector<void*> taken;
  while (now().refills < before.refills + 2) taken.push_back(allocate_frame(kBytes));
  const ClassSnapshot two = now();
  EXPECT_EQ(two.flushes, before.flushes);
  EXPECT_EQ(two.central_locks, before.central_locks + 2);
  EXPECT_EQ(two.hits_thread, before.hits_thread + taken.size() - 2);
  EXPECT_EQ(two.misses_os, before.misses_os + 2);
  EXPECT_EQ(two.objects_in_use, taken.size());
  EXPECT_EQ(two.in_use_bytes, taken.size() * kBytes);
  EXPECT_EQ(two.high_water_bytes,
            std::max(before.high_water_bytes, two.in_use_bytes + two.cached_bytes));
  EXPECT_DOUBLE_EQ(two.hit_rate(),
                   static_cast<double>(two.hits_thread) /
                       static_cast<double>(two.hits_thread + two.hits_shared + two.misses_os));
  while (taken.size() < 2 * (1 + kLot)) taken.push_back(allocate_frame(kBytes));
  const ClassSnapshot full = now();
  free_frames(taken);
  // Two lots stay, and two blocks are too many for them.
  const ClassSnapshot after = class_of_pool(PoolId::Frames, kBytes);
  EXPECT_EQ(after.flushes, before.flushes + 1);
  EXPECT_EQ(after.central_locks, full.central_locks + 1);
  EXPECT_EQ(after.central_contended, before.central_contended);
  EXPECT_EQ(after.frees, before.frees + 2 * (1 + kLot));
  EXPECT_EQ(after.remote_frees, before.remote_frees);
  EXPECT_EQ(after.in_use_bytes, 0u);
  EXPECT_EQ(after.cached_bytes, full.in_use_bytes + full.cached_bytes);
  const PoolSnapshot pool_after = frames();
  EXPECT_EQ(pool_after.refills - pool_before.refills, after.refills - before.refills);
  EXPECT_EQ(pool_after.flushes, pool_before.flushes + 1);
  EXPECT_EQ(pool_after.central_locks - pool_before.central_locks,
            after.central_locks - before.central_locks);
}

// What a thread frees beyond what it took was others'. A thread that frees what it took adds
// nothing, however often it goes round.
TEST_F(FiguresTest, FreesOfOtherThreadsBlocks) {
  const ScopedCache cache;
  const uint64_t before = frames().remote_frees;
  for (int round = 0; round < 10; ++round) free_frames(take_frames(500));
  EXPECT_EQ(frames().remote_frees, before);
  const auto taken = take_frames(200);
  std::thread([&] {
    const ScopedCache other;
    free_frames(taken);
    free_frames(take_frames(100));
  }).join();
  EXPECT_EQ(frames().remote_frees, before + 200);
  EXPECT_EQ(class_of_pool(PoolId::Frames, kBytes).objects_in_use, 0u);
}

char state_of_thread(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(") ");
  return name_end == std::string::npos ? '?' : text[name_end + 2];
}

TEST_F(FiguresTest, ALockThatIsNotFreeIsCounted) {
  static CentralList list;
  Pool& p = pool(PoolId::Buffers);
  const unsigned cls = class_of(1024);
  list.give(p, cls, list.take(p, cls, 1, false).blocks);
  EXPECT_EQ(list.figures().locks, 2u);
  EXPECT_EQ(list.figures().contended, 0u);
  list.lock();
  std::atomic<pid_t> other{0};
  std::thread thread([&] {
    other = static_cast<pid_t>(::syscall(SYS_gettid));
    list.give(p, cls, list.take(p, cls, 1, false).blocks);
  });
  EXPECT_TRUE(eventually([&] { return other != 0 && state_of_thread(other) == 'S'; }));
  list.unlock();
  thread.join();
  EXPECT_EQ(list.figures().locks, 4u);
  EXPECT_EQ(list.figures().contended, 1u);
  list.release_empty(p, cls);
}

TEST_F(FiguresTest, CommittedStrandedAndFragmentation) {
  constexpr std::size_t kEach = 3072;
  constexpr unsigned kBlocks = kSlotBytes / kEach;  // of a span
  std::vector<Buffer> live;
  const PoolSnapshot empty = buffers();
  EXPECT_EQ(empty.committed_bytes, 0u);
  EXPECT_EQ(empty.fragmentation(), 0.0);
  for (unsigned i = 0; i < 3; ++i) live.push_back(*lease(kEach));
  // Nine KiB of blocks are in three pages; nothing is cached, as this thread has no cache.
  EXPECT_EQ(buffers().committed_bytes, 3 * kPageBytes);
  EXPECT_EQ(class_of_pool(PoolId::Buffers, kEach).committed_bytes, 3 * kPageBytes);
  EXPECT_EQ(buffers().stranded_bytes, 0u);
  EXPECT_DOUBLE_EQ(buffers().fragmentation(), 0.25);
  while (live.size() < kBlocks) live.push_back(*lease(kEach));
  const uint64_t committed = round_to_pages(kBlocks * kEach);
  EXPECT_EQ(buffers().committed_bytes, committed);
  EXPECT_EQ(class_of_pool(PoolId::Buffers, kEach).high_water_bytes, kBlocks * kEach);
  live.resize(1);
  trim();
  const PoolSnapshot one = buffers();
  EXPECT_EQ(one.committed_bytes, committed);
  EXPECT_EQ(one.stranded_bytes, (kBlocks - 1) * kEach);
  EXPECT_EQ(one.cached_bytes, (kBlocks - 1) * kEach);
  EXPECT_DOUBLE_EQ(one.fragmentation(),
                   static_cast<double>(committed - kEach) / static_cast<double>(committed));
  EXPECT_DOUBLE_EQ(one.utilisation(),
                   static_cast<double>(one.requested_bytes) / static_cast<double>(committed));
  // With the last block the span is empty: free by policy, until it is trimmed.
  live.clear();
  const PoolSnapshot none = buffers();
  EXPECT_EQ(none.stranded_bytes, 0u);
  EXPECT_EQ(none.cached_bytes, kBlocks * kEach);
  const uint64_t released = class_of_pool(PoolId::Buffers, kEach).released_bytes;
  const uint64_t trimmed = trim();
  EXPECT_EQ(buffers().committed_bytes, 0u);
  EXPECT_EQ(class_of_pool(PoolId::Buffers, kEach).released_bytes, released + trimmed);
  EXPECT_EQ(class_of_pool(PoolId::Buffers, kEach).high_water_bytes, kBlocks * kEach) << "stays";
}

TEST_F(FiguresTest, EmptySpansThatServeAgainAreNotByPolicy) {
  constexpr std::size_t kEach = 1024;
  {
    Buffer one = *lease(kEach);
  }
  EXPECT_EQ(buffers().stranded_bytes, 0u);
  Buffer first = *lease(kEach);
  Buffer second = *lease(kEach);
  first.reset();
  EXPECT_EQ(buffers().stranded_bytes, kEach);
  Buffer again = *lease(kEach);
  EXPECT_EQ(buffers().stranded_bytes, 0u);
}

// Without a cache each request is seen; what is in use is taken for the mean of all that were.
TEST_F(FiguresTest, RequestedBytes) {
  constexpr std::size_t kEach = 28672;
  const auto list = [] { return pool(PoolId::Buffers).list_figures(class_of(kEach)); };
  const ListFigures before = list();
  std::vector<Buffer> live;
  for (unsigned i = 0; i < 10; ++i) live.push_back(*lease(28000));
  for (unsigned i = 0; i < 10; ++i) live.push_back(*lease(28600));
  EXPECT_EQ(list().asked_blocks, before.asked_blocks + 20);
  EXPECT_EQ(list().asked_bytes, before.asked_bytes + 10u * 28000 + 10u * 28600);
  const double mean =
      static_cast<double>(list().asked_bytes) / static_cast<double>(list().asked_blocks);
  EXPECT_NEAR(static_cast<double>(buffers().requested_bytes), 20 * mean, 1);
  EXPECT_LT(buffers().requested_bytes, 20 * kEach);
  const uint64_t small = buffers().requested_bytes;
  live.push_back(*lease(3 * kMiB));
  EXPECT_EQ(buffers().requested_bytes, small + 3 * kMiB);
  EXPECT_EQ(buffers().committed_bytes, 20 * kEach + 3 * kMiB);
}

TEST_F(FiguresTest, OneRefillInSoManyIsTimed) {
  const ScopedCache cache;
  const PoolSnapshot before = frames();
  const auto began = std::chrono::steady_clock::now();
  std::vector<void*> taken;
  const auto take_until = [&](uint64_t refills) {
    while (frames().refills < refills) taken.push_back(allocate_frame(kBytes));
  };
  take_until(before.refills + kSampleEvery - 1);
  EXPECT_EQ(frames().miss_ns.count, before.miss_ns.count);
  take_until(before.refills + kSampleEvery);
  const auto took = std::chrono::steady_clock::now() - began;
  const PoolSnapshot after = frames();
  ASSERT_EQ(after.miss_ns.count, before.miss_ns.count + 1);
  ASSERT_EQ(after.hit_ns.count, before.hit_ns.count + 1);
  const auto most = static_cast<uint64_t>(std::chrono::nanoseconds(took).count());
  EXPECT_GT(after.miss_ns.sum - before.miss_ns.sum, 0u);
  EXPECT_LT(after.miss_ns.sum - before.miss_ns.sum, most);
  EXPECT_LT(after.hit_ns.sum - before.hit_ns.sum, most);
  // The hits that were tried are nobody's, and their blocks are where they were.
  EXPECT_EQ(after.hits_thread - before.hits_thread, taken.size() - kSampleEvery);
  EXPECT_EQ(after.frees, before.frees);
  for (uint64_t left = class_of_pool(PoolId::Frames, kBytes).cached_bytes / kBytes; left > 0;
       --left)
    taken.push_back(allocate_frame(kBytes));
  EXPECT_EQ(frames().refills, after.refills);
  EXPECT_EQ(class_of_pool(PoolId::Frames, kBytes).cached_bytes, 0u);
  free_frames(taken);
}

// The sums over the classes are the pool's, while threads come and go.
TEST_F(FiguresTest, ClassesAddUpToThePool) {
  for (int round = 0; round < 4; ++round) {
    std::thread([] {
      const ScopedCache cache;
      std::vector<std::pair<void*, std::size_t>> live;
      for (std::size_t bytes = 1; bytes < 5000; bytes += 7) {
        live.emplace_back(allocate_frame(bytes), bytes);
      }
      for (const auto& [frame, bytes] : live) free_frame(frame, bytes);
    }).join();
  }
  void* one = allocate_frame(333);
  const PoolSnapshot all = frames();
  PoolSnapshot sum;
  for (const ClassSnapshot& each : class_snapshots(PoolId::Frames)) {
    sum.in_use_bytes += each.in_use_bytes;
    sum.cached_bytes += each.cached_bytes;
    sum.objects_in_use += each.objects_in_use;
    sum.hits_thread += each.hits_thread;
    EXPECT_LE(each.in_use_bytes + each.cached_bytes, each.committed_bytes);
    EXPECT_LE(each.in_use_bytes + each.cached_bytes, each.high_water_bytes);
    EXPECT_LE(each.stranded_bytes, each.cached_bytes);
  }
  EXPECT_EQ(sum.in_use_bytes, all.in_use_bytes);
  EXPECT_EQ(sum.cached_bytes, all.cached_bytes);
  EXPECT_EQ(sum.objects_in_use, all.objects_in_use);
  EXPECT_EQ(sum.hits_thread, all.hits_thread);
  free_frame(one, 333);
}

}  // namespace
}  // namespace zokio::mem
