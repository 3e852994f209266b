// SPDX-License-Identifier: Apache-2.0
// What is reported as released must be gone from the process, as the kernel counts it.

#include <unistd.h>

#include <cstdio>

#include "mem/mapping.h"
#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using TrimTest = PoolsTest;

uint64_t process_resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long long total = 0;
  unsigned long long resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * kPageBytes : 0;
}

void use(std::size_t count, std::size_t bytes, bool touch) {
  std::vector<Buffer> live;
  for (std::size_t i = 0; i < count; ++i) {
    live.push_back(*lease(bytes));
    if (touch) std::memset(live.back().data(), 1, bytes);
  }
}

TEST_F(TrimTest, ReleasedBytesLeaveTheProcess) {
  const ScopedCache cache;
  for (std::size_t bytes : {4 * kKiB, 64 * kKiB, 256 * kKiB, 1 * kMiB}) {
    std::vector<Buffer> live;
    for (std::size_t i = 0; i < 32 * kMiB / bytes; ++i) {
      live.push_back(*lease(bytes));
      std::memset(live.back().data(), 1, bytes);
    }
    const uint64_t before = process_resident_bytes();
    const uint64_t counted = buffers().released_bytes;
    live.clear();
    trim();
    const uint64_t after = process_resident_bytes();
    const uint64_t released = buffers().released_bytes - counted;
    EXPECT_GE(released, 32 * kMiB) << bytes;
    EXPECT_LE(released, 33 * kMiB) << bytes;
    ASSERT_GE(before, after);
    // Sanitizers keep shadow memory of their own.
    EXPECT_GE(before - after, released / 4 * 3) << bytes;
    if (!kSanitized) EXPECT_LE(before - after, released + 2 * kMiB) << bytes;
  }
}

TEST_F(TrimTest, PagesNobodyTouchedAreNotReported) {
  use(32, 1 * kMiB, /*touch=*/false);
  // The link of a free block is in its first page.
  EXPECT_LE(trim(), 32 * kPageBytes);
}

TEST_F(TrimTest, LargeObjectsGoBackWhenFreed) {
  const uint64_t counted = buffers().released_bytes;
  use(1, 24 * kMiB, /*touch=*/true);  // more than is kept
  EXPECT_EQ(buffers().released_bytes - counted, 24 * kMiB);
  EXPECT_EQ(buffers().cached_bytes, 0u);
  use(1, 8 * kMiB, /*touch=*/true);
  EXPECT_EQ(buffers().cached_bytes, 8 * kMiB);
  EXPECT_EQ(trim(), 8 * kMiB);
}

TEST_F(TrimTest, SecondTrimHasNothingToDo) {
  use(100, 5000, /*touch=*/true);
  EXPECT_GT(trim(), 0u);
  EXPECT_EQ(trim(), 0u);
}

TEST_F(TrimTest, CentralListsKeepABoundedAmount) {
  use(64, 1 * kMiB, /*touch=*/true);
  EXPECT_LE(buffers().cached_bytes, 34 * kMiB);
  EXPECT_GE(buffers().cached_bytes, 28 * kMiB);
}

TEST_F(TrimTest, SpansInUseKeepTheirContent) {
  Buffer kept = *lease(3000);
  std::memset(kept.data(), 0x5A, 3000);
  use(60, 3000, /*touch=*/true);
  trim();
  for (std::byte b : kept.space()) ASSERT_EQ(b, std::byte{0x5A});
}

}  // namespace
}  // namespace zokio::mem
