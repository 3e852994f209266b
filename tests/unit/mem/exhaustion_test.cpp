// SPDX-License-Identifier: Apache-2.0
// When the system has no memory: whichever mapping fails, the caller is told, what was allocated
// stays as it was, and afterwards nothing is lost. mmap() is this program's own.

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "mem/fork.h"
#include "pools_fixture.h"
#include "zokio/mem/allocate.h"

namespace {

// The number of mappings until one fails; below 0: none.
std::atomic<int> mappings_left{-1};
std::atomic<bool> all_after{false};
std::atomic<int> failed{0};

[[maybe_unused]] bool mapping_fails() {
  if (mappings_left < 0) return false;
  if (mappings_left == 0) {
    if (!all_after) mappings_left = -1;
    ++failed;
    return true;
  }
  --mappings_left;
  return false;
}

}  // namespace

// Sanitizers have one, too, which they need.
#if !defined(ZOKIO_ASAN) && !defined(ZOKIO_TSAN)
// Instead of the C library's, also for the allocator that is linked in here. The C library itself
// does not come here.
extern "C" void* mmap(void* address, size_t bytes, int protection, int flags, int file,
                      off_t offset) noexcept {
  if (mapping_fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(
      ::syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
#endif

namespace zokio::mem {
namespace {

using ExhaustionTest = PoolsTest;

struct Filled {
  unsigned char* p = nullptr;
  std::size_t bytes = 0;
};

bool intact(const Filled& block) {
  for (std::size_t at = 0; at < block.bytes; ++at)
    if (block.p[at] != static_cast<unsigned char>(block.bytes + at)) return false;
  return true;
}
void fill(const Filled& block) {
  for (std::size_t at = 0; at < block.bytes; ++at)
    block.p[at] = static_cast<unsigned char>(block.bytes + at);
}

// Each way to allocate, some sizes that need a chunk, a span, a mapping of their own. Returns
// whether everything was as it should be.
bool allocate_everything() {
  ThreadCache* cache = acquire_thread_cache();  // null: go on without
  set_current_cache(cache);
  std::vector<Filled> live;
  live.reserve(400);
  std::vector<Buffer> buffers;
  buffers.reserve(8);
  const auto keep = [&live](void* p, std::size_t bytes) {
    if (p == nullptr) return;
    live.push_back({static_cast<unsigned char*>(p), bytes});
    fill(live.back());
  };
  for (int i = 0; i < 8; ++i) keep(allocate(900'000), 900'000);  // more than one chunk
  for (std::size_t bytes = 8; bytes <= 3 * kMiB; bytes *= 2) {
    keep(allocate(bytes), bytes);
    keep(allocate_zeroed(bytes), bytes);
    keep(allocate_aligned(bytes, 4096), bytes);
    if (auto buffer = lease(bytes); buffer && buffers.size() < 8)
      buffers.push_back(*std::move(buffer));
  }
  keep(allocate_aligned(100, kChunkBytes), 100);
  bool ok = true;
  for (Filled& block : live) {
    ok &= intact(block);
    if (block.bytes % 3 != 0) continue;
    // From a class to another, from a mapping to another.
    const std::size_t more = 2 * block.bytes + 5 * kMiB * (block.bytes % 2);
    void* const p = reallocate(block.p, more);
    if (p == nullptr) {
      ok &= intact(block);
      continue;
    }
    block.p = static_cast<unsigned char*>(p);
    ok &= intact(block);
  }
  for (const Filled& block : live) {
    ok &= intact(block);
    deallocate(block.p);
  }
  release_thread_cache(cache);
  return ok;
}

TEST_F(ExhaustionTest, WhicheverMappingFails) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have an mmap of their own";
  for (const bool after : {false, true}) {
    int cases = 0;
    for (int n = 0;; ++n) {
      trim();
      failed = 0;
      all_after = after;
      mappings_left = n;
      const bool ok = allocate_everything();
      mappings_left = -1;
      ASSERT_TRUE(ok) << "a block was damaged with failure " << n;
      trim();
      for (const PoolSnapshot& pool : snapshots()) {
        ASSERT_EQ(pool.in_use_bytes, 0u) << pool.name << " with failure " << n;
        ASSERT_EQ(pool.cached_bytes, 0u) << pool.name << " with failure " << n;
      }
      if (failed == 0) break;  // done before the n-th
      ++cases;
    }
    EXPECT_GE(cases, 10) << "mappings that failed";
  }
}

TEST_F(ExhaustionTest, AFrameThatTheSystemRefusesEndsTheProcess) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have an mmap of their own";
  EXPECT_DEATH(
      {
        all_after = true;
        mappings_left = 0;
        for (int i = 0; i < 100; ++i) static_cast<void>(allocate_frame(kMiB));
      },
      "zokio: fatal: the system has no memory for a coroutine frame");
}

TEST_F(ExhaustionTest, AFullAddressSpaceIsAnErrorThatPasses) {
  if (kSanitized) GTEST_SKIP() << "sanitizers map memory of their own at any time";
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit before{};
    getrlimit(RLIMIT_AS, &before);
    rlimit limit = before;
    limit.rlim_cur = std::size_t{512} << 20;
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
    // Linked through the blocks themselves, because a vector would want memory, too.
    void** first = nullptr;
    std::size_t bytes = 0;
    const auto push = [&](std::size_t each) {
      auto** p = static_cast<void**>(allocate(each));
      if (p == nullptr) return false;
      std::memset(p, 1, each);
      *p = first;
      first = p;
      bytes += each;
      return true;
    };
    while (push(5 * kMiB)) {
    }
    while (push(100'000)) {
    }
    while (push(64)) {
    }
    if (bytes < std::size_t{200} << 20 || bytes > std::size_t{512} << 20) _exit(3);
    if (allocate(5 * kMiB) != nullptr || lease(5 * kMiB).has_value()) _exit(4);
    setrlimit(RLIMIT_AS, &before);
    void* large = allocate(100 * kMiB);
    if (large == nullptr || !push(64)) _exit(5);
    deallocate(large);
    while (first != nullptr) deallocate(std::exchange(first, static_cast<void**>(*first)));
    trim();
    _exit(heap().in_use_bytes == 0 && heap().cached_bytes == 0 ? 0 : 6);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// With the locks held around it, as libzokio-malloc.so does; blocks of other threads are freed in
// the child.
TEST_F(ExhaustionTest, AForkInTheMiddleOfTheLoadOfThreads) {
  if (kSanitized) GTEST_SKIP() << "sanitizers run a thread of their own";
  std::atomic<bool> stop{false};
  std::atomic<unsigned> turns{0};
  std::array<std::atomic<void*>, 64> shared{};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      if (t != 0) attach_thread();
      for (unsigned i = t; !stop.load(); ++i) {
        void* const p = allocate(1 + i * 37 % (i % 100 == 0 ? 2'000'000 : 9000));
        deallocate(shared[i % shared.size()].exchange(p));
        turns.fetch_add(1);
      }
    });
  }
  for (int round = 0; round < 20; ++round) {
    const unsigned seen = turns.load();
    while (turns.load() < seen + 100) std::this_thread::yield();
    before_fork();
    const pid_t child = ::fork();
    after_fork();
    if (child == 0) {
      for (auto& place : shared) deallocate(place.exchange(nullptr));
      for (std::size_t i = 0; i < 1000; ++i) deallocate(allocate(1 + i * 97));
      deallocate(allocate(3 * kMiB));
      _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "round " << round;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (auto& place : shared) deallocate(place.exchange(nullptr));
}

TEST_F(ExhaustionTest, BlocksOutliveTheThreadAndItsCache) {
  for (const bool cached : {true, false}) {
    std::vector<Filled> live;
    std::thread([&] {
      ThreadCache* const cache = cached ? acquire_thread_cache() : nullptr;
      set_current_cache(cache);
      for (std::size_t bytes = 1; bytes < 3 * kMiB; bytes += 1 + bytes / 4) {
        live.push_back({static_cast<unsigned char*>(allocate(bytes)), bytes});
        fill(live.back());
      }
      release_thread_cache(cache);
    }).join();
    EXPECT_EQ(heap().objects_in_use, live.size());
    trim();
    std::thread([&] {
      for (const Filled& block : live) {
        EXPECT_TRUE(intact(block)) << block.bytes;
        deallocate(block.p);
      }
    }).join();
    EXPECT_EQ(heap().objects_in_use, 0u);
  }
}

}  // namespace
}  // namespace zokio::mem
