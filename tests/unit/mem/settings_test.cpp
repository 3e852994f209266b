// SPDX-License-Identifier: Apache-2.0
// What pools may keep, what they do when they are full, and where a change of a limit stands.

#include "pools_fixture.h"
#include "zokio/mem/allocate.h"

namespace zokio::mem {
namespace {

class SettingsTest : public PoolsTest {
 protected:
  void TearDown() override {
    EXPECT_TRUE(set_settings("buffers", {}).has_value());
    EXPECT_TRUE(set_settings("heap", {}).has_value());
    EXPECT_TRUE(set_settings("frames", {.when_full = WhenFull::Overflow}).has_value());
    set_huge_pages(false);
    set_pressure(false);
    PoolsTest::TearDown();
  }
};

void use(std::size_t count, std::size_t bytes) {
  std::vector<Buffer> live;
  for (std::size_t i = 0; i < count; ++i) {
    live.push_back(*lease(bytes));
    std::memset(live.back().data(), 1, bytes);
  }
}

TEST_F(SettingsTest, WhichPoliciesAPoolCanHave) {
  const auto can = [](const char* pool, WhenFull policy) {
    return check_settings(pool, {.when_full = policy}).has_value();
  };
  EXPECT_TRUE(can("buffers", WhenFull::Fail));
  EXPECT_TRUE(can("buffers", WhenFull::Wait));
  EXPECT_TRUE(can("buffers", WhenFull::Overflow));
  EXPECT_TRUE(can("heap", WhenFull::Fail));
  EXPECT_FALSE(can("heap", WhenFull::Wait));
  EXPECT_TRUE(can("heap", WhenFull::Overflow));
  EXPECT_FALSE(can("frames", WhenFull::Fail));
  EXPECT_FALSE(can("frames", WhenFull::Wait));
  EXPECT_TRUE(can("frames", WhenFull::Overflow));
  EXPECT_EQ(set_settings("frames", {.when_full = WhenFull::Wait}).error().code,
            Errc::InvalidArgument);
  EXPECT_EQ(set_settings("none", {}).error().code, Errc::NotFound);
  EXPECT_EQ(frames().when_full, "overflow");
  EXPECT_EQ(heap().when_full, "fail");
  for (const char* name : {"fail", "wait", "overflow"})
    EXPECT_EQ(when_full_name(*find_when_full(name)), name);
  EXPECT_FALSE(find_when_full("").has_value());
}

TEST_F(SettingsTest, OverflowServesAndCountsTheExcess) {
  ASSERT_TRUE(set_limit("buffers", 256 * kKiB).has_value());
  ASSERT_TRUE(set_settings("buffers", {.when_full = WhenFull::Overflow}).has_value());
  const uint64_t before = buffers().overflows;
  std::vector<Buffer> live;
  for (int i = 0; i < 8; ++i) live.push_back(*lease(64 * kKiB));
  live.push_back(*lease(4 * kMiB));
  EXPECT_EQ(buffers().overflows - before, 5u);
  EXPECT_EQ(buffers().residual_bytes, 4 * kMiB + 256 * kKiB);
  EXPECT_EQ(buffers().state, PoolState::Shrinking);
  live.clear();
  EXPECT_EQ(buffers().residual_bytes, 0u);
  ASSERT_TRUE(set_settings("buffers", {.when_full = WhenFull::Fail}).has_value());
  EXPECT_FALSE(lease(512 * kKiB).has_value());
}

TEST_F(SettingsTest, HeapFailsOrOverflows) {
  ASSERT_TRUE(set_limit("heap", 256 * kKiB).has_value());
  EXPECT_EQ(allocate(512 * kKiB), nullptr);
  EXPECT_EQ(allocate(2 * kMiB), nullptr);
  ASSERT_TRUE(set_settings("heap", {.when_full = WhenFull::Overflow}).has_value());
  const uint64_t before = heap().overflows;
  void* block = allocate(512 * kKiB);
  void* large = allocate(2 * kMiB);
  EXPECT_NE(block, nullptr);
  EXPECT_NE(large, nullptr);
  EXPECT_EQ(heap().overflows - before, 2u);
  deallocate(block);
  deallocate(large);
}

// What this thread's own cache may have of these blocks, besides.
constexpr std::size_t kOwn = 320 * kKiB;

TEST_F(SettingsTest, CentralListsKeepWhatTheyMay) {
  use(128, 64 * kKiB);
  EXPECT_GE(buffers().cached_bytes, 7 * kMiB);
  ASSERT_TRUE(set_settings("buffers", {.central_cache_bytes = 1 * kMiB}).has_value());
  EXPECT_LE(buffers().cached_bytes, 1 * kMiB) << "what is there goes at once";
  use(128, 64 * kKiB);
  EXPECT_LE(buffers().cached_bytes, 1 * kMiB + kOwn);
  use(1, 8 * kMiB);
  EXPECT_LE(buffers().cached_bytes, 1 * kMiB + kOwn) << "large objects count as well";
  ASSERT_TRUE(set_settings("buffers", {.central_cache_bytes = 16 * kMiB}).has_value());
  use(400, 64 * kKiB);
  EXPECT_GE(buffers().cached_bytes, 15 * kMiB) << "more than by itself";
  ASSERT_TRUE(set_settings("buffers", {.central_cache_bytes = 1}).has_value());
  EXPECT_EQ(buffers().cached_bytes, 0u);
  EXPECT_EQ(buffers().central_cache_limit_bytes, 1u);
}

TEST_F(SettingsTest, ThreadCachesKeepWhatTheyMay) {
  const ScopedCache cache;
  ASSERT_TRUE(set_settings("buffers", {.central_cache_bytes = 1}).has_value());
  use(40, 16 * kKiB);  // larger than what shares a span
  EXPECT_GE(buffers().cached_bytes, 200 * kKiB);
  // 160 lots: two of each of 80 classes.
  ASSERT_TRUE(
      set_settings("buffers", {.thread_cache_bytes = 160 * 32 * kKiB, .central_cache_bytes = 1})
          .has_value());
  use(40, 16 * kKiB);
  EXPECT_EQ(buffers().cached_bytes, 64 * kKiB);
  const uint64_t hits = buffers().hits_thread;
  use(2, 16 * kKiB);
  EXPECT_EQ(buffers().hits_thread - hits, 2u);
  ASSERT_TRUE(
      set_settings("buffers", {.thread_cache_bytes = 1, .central_cache_bytes = 1}).has_value());
  use(40, 16 * kKiB);
  EXPECT_EQ(buffers().cached_bytes, 0u);
}

TEST_F(SettingsTest, StateOfAShrink) {
  std::vector<Buffer> live;
  for (int i = 0; i < 16; ++i) {
    live.push_back(*lease(64 * kKiB));
    std::memset(live.back().data(), 1, 64 * kKiB);
  }
  EXPECT_EQ(buffers().state, PoolState::Active);
  ASSERT_TRUE(set_limit("buffers", 2 * kMiB).has_value());
  EXPECT_EQ(buffers().state, PoolState::AtTarget) << "lowered, and reached at once";
  ASSERT_TRUE(set_limit("buffers", 256 * kKiB, true).has_value());
  EXPECT_EQ(buffers().state, PoolState::Shrinking);
  EXPECT_EQ(buffers().residual_bytes, 768 * kKiB);
  live.resize(8);
  EXPECT_EQ(buffers().state, PoolState::Shrinking);
  EXPECT_EQ(buffers().residual_bytes, 256 * kKiB);
  EXPECT_EQ(buffers().shrink_released_bytes, 512 * kKiB);
  live.resize(4);
  EXPECT_EQ(buffers().state, PoolState::AtTarget);
  EXPECT_EQ(buffers().residual_bytes, 0u);
  EXPECT_EQ(buffers().shrink_released_bytes, 768 * kKiB);
  live.clear();
  trim();
  EXPECT_EQ(buffers().shrink_released_bytes, 768 * kKiB) << "what came later is not its doing";
  ASSERT_TRUE(set_limit("buffers", 4 * kMiB).has_value());
  EXPECT_EQ(buffers().state, PoolState::Active);
  EXPECT_EQ(buffers().shrink_released_bytes, 0u);
  ASSERT_TRUE(set_total_limit(1 * kMiB).has_value());
  EXPECT_EQ(frames().state, PoolState::AtTarget);
  EXPECT_EQ(memory_snapshot().limit_bytes, 1 * kMiB);
  EXPECT_EQ(check_total_limit(1 * kMiB).has_value(), true);
}

TEST_F(SettingsTest, PressureTrimsAndKeepsCachesSmall) {
  use(128, 64 * kKiB);
  use(1, 4 * kMiB);
  const MemorySnapshot before = memory_snapshot();
  EXPECT_FALSE(before.pressure);
  EXPECT_GE(set_pressure(true), 11 * kMiB);
  const MemorySnapshot pressed = memory_snapshot();
  EXPECT_TRUE(pressed.pressure);
  EXPECT_EQ(pressed.pressure_trims - before.pressure_trims, 1u);
  EXPECT_GE(pressed.pressure_released_bytes - before.pressure_released_bytes, 11 * kMiB);
  {
    const ScopedCache cache;
    use(128, 64 * kKiB);
    use(1, 4 * kMiB);
    use(500, 1 * kKiB);
    EXPECT_LE(buffers().cached_bytes, 512 * kKiB);
  }
  EXPECT_EQ(set_pressure(false), 0u);
  EXPECT_FALSE(memory_snapshot().pressure);
  use(128, 64 * kKiB);
  EXPECT_GE(buffers().cached_bytes, 7 * kMiB) << "as before";
}

TEST_F(SettingsTest, HugePagesOnlyWhenAskedFor) {
  {
    const Buffer plain = *lease(8 * kMiB);
    EXPECT_EQ(buffers().huge_bytes, 0u);
  }
  trim();
  set_huge_pages(true);
  EXPECT_TRUE(memory_snapshot().huge_pages);
  {
    Buffer huge = *lease(8 * kMiB);
    // A kernel without huge pages says no, which is not an error.
    EXPECT_TRUE(buffers().huge_bytes == 8 * kMiB || buffers().huge_bytes == 0);
    std::memset(huge.data(), 3, 8 * kMiB);
    EXPECT_EQ(huge.data()[8 * kMiB - 1], std::byte{3});
    const uint64_t with_huge = buffers().huge_bytes;
    const Buffer small = *lease(1536 * kKiB);
    EXPECT_EQ(buffers().huge_bytes, with_huge) << "smaller than a huge page";
  }
  EXPECT_GE(trim(), 8 * kMiB);
  EXPECT_EQ(buffers().huge_bytes, 0u);
}

}  // namespace
}  // namespace zokio::mem
