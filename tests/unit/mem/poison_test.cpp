// SPDX-License-Identifier: Apache-2.0
// Wrong uses that must not pass silently: always the gross ones, under AddressSanitizer all.

#include "mem/poison.h"

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using PoisonTest = PoolsTest;

TEST_F(PoisonTest, FreeWithTheWrongSizeIsABug) {
  void* frame = allocate_frame(100);
  EXPECT_DEATH(free_frame(frame, 300), "use-after-poison|wrong size");
  free_frame(frame, 100);
}

TEST_F(PoisonTest, FreeOfAnEmptiedSpanIsABug) {
  void* frame = allocate_frame(20'000);
  free_frame(frame, 20'000);
  EXPECT_DEATH(free_frame(frame, 20'000), "use-after-poison|or twice");
}

#ifdef ZOKIO_ASAN
TEST_F(PoisonTest, UseAfterFreeIsReportedInCacheAndCentralList) {
  for (bool cached : {true, false}) {
    ThreadCache* cache = cached ? acquire_thread_cache() : nullptr;
    set_current_cache(cache);
    auto* frame = static_cast<volatile char*>(allocate_frame(200));
    free_frame(const_cast<char*>(frame), 200);
    for (int at : {0, 8, 100, 199}) EXPECT_DEATH(frame[at] = 1, "use-after-poison");
    EXPECT_DEATH(free_frame(const_cast<char*>(frame), 200), "use-after-poison");
    release_thread_cache(cache);
  }
}

TEST_F(PoisonTest, WritesPastTheBytesAskedForAreReported) {
  const ScopedCache cache;
  Buffer buffer = *lease(1000);
  volatile std::byte* data = buffer.data();
  data[999] = std::byte{1};
  EXPECT_DEATH(data[1000] = std::byte{1}, "use-after-poison");
  EXPECT_DEATH(data[1023] = std::byte{1}, "use-after-poison");
}
#endif

}  // namespace
}  // namespace zokio::mem
