// SPDX-License-Identifier: Apache-2.0
// What nobody needs goes back by itself, and what is used does not.

#include "mem/idle_bytes.h"
#include "pools_fixture.h"

namespace zokio::mem {
namespace {

constexpr Duration kDecay = std::chrono::seconds(10);
constexpr Duration kStep = kDecay / 10;

TEST(IdleBytesTest, GoesInSmallThenLargeThenSmallParts) {
  IdleBytes idle;
  uint64_t kept = 1000;
  idle.changed(0);
  EXPECT_EQ(idle.step(kept), 0u) << "free only since some time within the step";
  std::vector<uint64_t> parts;
  for (int i = 0; i < 10; ++i) {
    const uint64_t part = idle.step(kept);
    parts.push_back(part);
    kept -= part;
    idle.went(part, kept);
  }
  EXPECT_EQ(parts[0], 100u);
  EXPECT_GT(parts[2], parts[0]);
  EXPECT_LT(parts[8], parts[2]);
  EXPECT_EQ(kept, 0u) << "all of it after ten steps";
}

TEST(IdleBytesTest, WhatIsNeededOnceInAStepStays) {
  IdleBytes idle;
  for (int i = 0; i < 50; ++i) {
    idle.changed(0);  // taken
    EXPECT_EQ(idle.step(1000), 0u);
  }
}

TEST(IdleBytesTest, WhatCannotGoIsNotAskedForAgain) {
  IdleBytes idle;
  idle.step(100);
  EXPECT_EQ(idle.step(100), 10u);
  EXPECT_FALSE(idle.settled(100));
  idle.is_stuck(100);
  EXPECT_TRUE(idle.settled(100));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(idle.step(100), 0u);
  idle.step(200);
  EXPECT_EQ(idle.step(200), 10u) << "only what came later";
  idle.changed(40);
  for (int i = 0; i < 20; ++i) idle.step(200);
  EXPECT_EQ(idle.step(200), 160u) << "and what was used meanwhile";
}

class DecayTest : public PoolsTest {
 protected:
  void SetUp() override {
    PoolsTest::SetUp();
    set_decay(kDecay);
    // Whatever earlier steps left to do.
    for (int i = 0; i < 12; ++i) step();
    released_ = buffers().released_bytes;
  }
  void TearDown() override {
    set_decay(kDefaultDecay);
    PoolsTest::TearDown();
  }

  // Ends a step; when the next one wants to end.
  Instant step() {
    now_ = now_ + kStep;
    Instant next = now_;
    for (int parts = 0; next <= now_ && parts < 1000; ++parts) next = tend(now_);
    return next;
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) step();
  }
  uint64_t released() const { return buffers().released_bytes - released_; }

  static void fill_and_free(std::size_t count, std::size_t bytes) {
    std::vector<Buffer> live;
    for (std::size_t i = 0; i < count; ++i) {
      live.push_back(*lease(bytes));
      std::memset(live.back().data(), 1, bytes);
    }
  }

 private:
  inline static Instant now_{0};  // never back, as the clock it stands for
  uint64_t released_ = 0;
};

TEST_F(DecayTest, KeptBlocksGoBackInStepsAndThenNothingIsDue) {
  fill_and_free(128, 64 * kKiB);
  const uint64_t kept = buffers().cached_bytes;
  ASSERT_GE(kept, 7 * kMiB);
  step();
  EXPECT_EQ(released(), 0u);
  step();
  EXPECT_GT(released(), 0u);
  EXPECT_LE(released(), kept / 5);
  steps(3);
  EXPECT_GT(released(), kept / 2);
  EXPECT_LT(released(), kept);
  steps(7);
  EXPECT_LE(buffers().cached_bytes, 256 * kKiB) << "this thread's own cache may have that";
  steps(14);
  EXPECT_EQ(buffers().cached_bytes, 0u);
  EXPECT_GE(released(), kept);
  EXPECT_GE(buffers().decayed_bytes, kept);
  EXPECT_TRUE(step().is_never());
}

TEST_F(DecayTest, WhatGoesUpAndDownStays) {
  for (int i = 0; i < 30; ++i) {
    fill_and_free(96, 64 * kKiB);
    step();
  }
  EXPECT_EQ(released(), 0u);
  EXPECT_GE(buffers().cached_bytes, 6 * kMiB);
}

TEST_F(DecayTest, SmallBlocksAndLotsGoBackToo) {
  {
    const ScopedCache cache;
    fill_and_free(8000, 256);
  }
  ASSERT_GE(buffers().cached_bytes, 8000u * 256);
  steps(25);
  EXPECT_EQ(buffers().cached_bytes, 0u);
}

TEST_F(DecayTest, ParkedCacheThatNobodyUsesIsEmptied) {
  const ScopedCache cache;
  fill_and_free(8, 16 * kKiB);
  park_thread_cache(cache.get());
  steps(9);
  EXPECT_GE(buffers().cached_bytes, 128 * kKiB);
  steps(14);
  EXPECT_EQ(buffers().cached_bytes, 0u);
  unpark_thread_cache(cache.get());
}

TEST_F(DecayTest, CacheInUseKeepsItsBlocks) {
  const ScopedCache cache;
  for (int i = 0; i < 30; ++i) {
    fill_and_free(8, 16 * kKiB);
    park_thread_cache(cache.get());
    step();
    unpark_thread_cache(cache.get());
  }
  EXPECT_GE(buffers().cached_bytes, 128 * kKiB);
}

TEST_F(DecayTest, LargeObjectsThatAreKeptGoBack) {
  fill_and_free(1, 8 * kMiB);
  EXPECT_EQ(buffers().cached_bytes, 8 * kMiB);
  steps(4);
  EXPECT_EQ(released(), 0u) << "too large for the part that is due";
  steps(8);
  EXPECT_EQ(released(), 8 * kMiB);
  EXPECT_EQ(buffers().cached_bytes, 0u);
}

TEST_F(DecayTest, BlocksBesideOneInUseStayAndNothingIsDue) {
  Buffer used = *lease(1000);
  fill_and_free(20, 1000);
  steps(15);
  EXPECT_GT(buffers().cached_bytes, 0u);
  EXPECT_TRUE(step().is_never()) << "there is nothing that could go";
}

TEST_F(DecayTest, OffKeepsWhatThereIs) {
  set_decay(Duration(0));
  EXPECT_EQ(decay(), Duration(0));
  fill_and_free(64, 64 * kKiB);
  const uint64_t kept = buffers().cached_bytes;
  EXPECT_TRUE(step().is_never());
  steps(30);
  EXPECT_EQ(buffers().cached_bytes, kept);
}

TEST_F(DecayTest, MuchGoesInPartsOfAFewMegabytes) {
  std::vector<Buffer> used;  // the more is in use, the more is kept
  for (int i = 0; i < 256; ++i) used.push_back(*lease(1 * kMiB));
  fill_and_free(48, 1 * kMiB);
  for (int i = 0; i < 11; ++i) step();
  EXPECT_GE(released(), 40 * kMiB);
}

}  // namespace
}  // namespace zokio::mem
