// SPDX-License-Identifier: Apache-2.0
// Which queue is next: shares, priorities, limits and rates, on a clock of the test's.
#include "jobs/queue_set.h"

#include <gtest/gtest.h>

namespace zokiod::jobs {
namespace {

using namespace std::chrono_literals;
using zokio::Instant;

class QueueSetTest : public testing::Test {
 protected:
  Lane& add(std::string name, uint32_t shares = 100, int32_t priority = 0) {
    model::QueueSpec spec;
    spec.name = std::move(name);
    spec.shares = shares;
    spec.priority = priority;
    return set_.add(std::move(spec));
  }
  void fill(Lane& lane, size_t jobs) {
    for (size_t i = 0; i < jobs; ++i) set_.push(lane, ids_.next(), 0, {1});
  }
  Lane* pick() {
    auto picked = set_.pick(now_, later_);
    return picked ? picked->place.lane : nullptr;
  }
  size_t picks_of(const Lane& lane, size_t of) {
    size_t its = 0;
    for (size_t i = 0; i < of; ++i) its += pick() == &lane ? 1 : 0;
    return its;
  }

  model::JobIdSource ids_;
  QueueSet set_;
  Instant now_{1'000'000'000'000};
  Instant later_;
};

TEST_F(QueueSetTest, SharesDivideTheStarts) {
  Lane& most = add("most", 300);
  Lane& some = add("some", 100);
  fill(most, 1000);
  fill(some, 1000);
  EXPECT_EQ(picks_of(most, 400), 300u);
  EXPECT_EQ(set_.queued(), 1600u);
}

TEST_F(QueueSetTest, ShareIsOfEveryStretchNotOnlyOfAll) {
  Lane& a = add("a", 100);
  Lane& b = add("b", 100);
  fill(a, 100);
  fill(b, 100);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(picks_of(a, 2), 1u);
}

TEST_F(QueueSetTest, WhoHadNothingCollectsNoClaim) {
  Lane& busy = add("busy");
  Lane& late = add("late");
  fill(busy, 1000);
  EXPECT_EQ(picks_of(busy, 500), 500u);
  fill(late, 500);
  const size_t its = picks_of(late, 100);
  EXPECT_GE(its, 49u);
  EXPECT_LE(its, 51u);
}

TEST_F(QueueSetTest, WhoIsHeldByItsOwnLimitCollectsNoClaim) {
  Lane& busy = add("busy");
  Lane& held = add("held");
  held.spec.concurrency = 1;
  held.running = 1;
  fill(busy, 1000);
  fill(held, 1000);
  EXPECT_EQ(picks_of(busy, 500), 500u);
  EXPECT_EQ(set_.stats(held, now_).held_by, "concurrency");
  held.running = 0;
  held.spec.concurrency = 0;
  const size_t its = picks_of(held, 100);
  EXPECT_GE(its, 49u);
  EXPECT_LE(its, 51u);
}

TEST_F(QueueSetTest, HigherPriorityGoesFirstWhateverTheShares) {
  Lane& low = add("low", 10'000, 0);
  Lane& high = add("high", 1, 5);
  fill(low, 10);
  fill(high, 10);
  EXPECT_EQ(picks_of(high, 10), 10u);
  EXPECT_EQ(picks_of(low, 10), 10u);
  EXPECT_EQ(pick(), nullptr);
  EXPECT_TRUE(later_.is_never());
}

TEST_F(QueueSetTest, PausedQueueStartsNothingAndADrainingOneDoes) {
  Lane& lane = add("one");
  fill(lane, 2);
  lane.spec.mode = model::QueueMode::Paused;
  EXPECT_EQ(pick(), nullptr);
  EXPECT_EQ(set_.stats(lane, now_).held_by, "paused");
  lane.spec.mode = model::QueueMode::Draining;
  EXPECT_EQ(pick(), &lane);
}

TEST_F(QueueSetTest, RateSpacesTheStartsAndSaysWhenTheNextIs) {
  Lane& lane = add("slow");
  lane.spec.rate = 10;
  fill(lane, 100);
  EXPECT_EQ(pick(), &lane);
  EXPECT_EQ(pick(), nullptr);
  EXPECT_EQ(later_, now_ + 100ms);
  EXPECT_EQ(set_.stats(lane, now_).held_by, "rate");
  now_ = later_;
  EXPECT_EQ(pick(), &lane);
  EXPECT_EQ(pick(), nullptr);
  // A long pause earns one start, not many.
  now_ = now_ + 1h;
  EXPECT_EQ(pick(), &lane);
  EXPECT_EQ(pick(), nullptr);
}

TEST_F(QueueSetTest, BurstIsTheStartsAfterAPause) {
  Lane& lane = add("bursts");
  lane.spec.rate = 60;
  lane.spec.rate_interval = 1min;
  lane.spec.burst = 5;
  fill(lane, 100);
  EXPECT_EQ(picks_of(lane, 10), 5u);
  EXPECT_EQ(later_, now_ + 1s);
  now_ = now_ + 3s;
  EXPECT_EQ(picks_of(lane, 10), 3u);
}

TEST_F(QueueSetTest, LargestRateAndBurstDoNotOverflow) {
  Lane& lane = add("wide");
  lane.spec.rate = 1;
  lane.spec.rate_interval = 24h;
  lane.spec.burst = 1'000'000;
  fill(lane, 10);
  EXPECT_EQ(picks_of(lane, 10), 10u);
}

TEST_F(QueueSetTest, AnotherQueueGoesOnWhileARateHoldsOne) {
  Lane& slow = add("slow", 100, 50);
  Lane& other = add("other");
  slow.spec.rate = 1;
  fill(slow, 10);
  fill(other, 10);
  EXPECT_EQ(pick(), &slow);
  EXPECT_EQ(picks_of(other, 10), 10u);
}

}  // namespace
}  // namespace zokiod::jobs
