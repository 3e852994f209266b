// SPDX-License-Identifier: Apache-2.0
// One thread plays worker, other workers and clock: time passes as the test says.
#include "time/timers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "seed.h"
#include "worker_stub.h"
#include "zokio/mem/pools.h"

namespace zokio::time {
namespace {

using namespace std::chrono_literals;
using test::Counted;
using test::WorkerStub;

uint64_t frames_in_use() {
  return mem::snapshot(mem::PoolId::Frames).objects_in_use;
}

class TimersTest : public testing::Test {
 protected:
  // Everything due at `now`; the number of calls it took.
  unsigned expire_all(Instant now) {
    unsigned calls = 0;
    do {
      fired_ += timers_->expire(now);
      ++calls;
    } while (timers_->next_deadline() <= now);
    return calls;
  }
  void TearDown() override {
    EXPECT_EQ(timers_->pending(), 0u);
    timers_.reset();
    EXPECT_EQ(frames_in_use(), frames_before_);
  }

  uint64_t frames_before_ = frames_in_use();
  std::unique_ptr<Timers> timers_ = std::make_unique<Timers>();
  const Instant start_ = Instant::now();
  unsigned fired_ = 0;
};

TEST_F(TimersTest, NeverEarlyAndAtMostATickLate) {
  WorkerStub on(timers_.get());
  constexpr Duration kTick{int64_t{1} << Timers::kTickShift};
  Instant now = start_;
  for (Duration delay :
       {Duration(0), Duration(1ns), Duration(1us), Duration(262us), Duration(263us), Duration(1ms),
        Duration(70ms), Duration(134ms), Duration(135ms), Duration(35s), Duration(3h),
        Duration(100h), Duration(24h * 100)}) {
    Counted one;
    const Instant deadline = now + delay;
    one.arm(deadline);
    EXPECT_EQ(timers_->pending(), 1u);
    expire_all(deadline + Duration(-1));
    ASSERT_EQ(one.calls(), 0) << delay.count();
    // The worker that sleeps until it is told to wakes in time.
    for (now = timers_->park_deadline(); one.calls() == 0; now = timers_->park_deadline()) {
      ASSERT_LE(now, deadline + kTick) << delay.count();
      expire_all(now);
      if (one.calls() != 0) break;
    }
    EXPECT_GE(now, deadline);
    EXPECT_TRUE(one.fired());
    EXPECT_EQ(timers_->pending(), 0u);
    EXPECT_TRUE(timers_->park_deadline().is_never());
  }
}

TEST_F(TimersTest, NeverIsNever) {
  WorkerStub on(timers_.get());
  Counted one;
  one.arm(Instant::never());
  expire_all(start_ + 24h * 365 * 8);
  EXPECT_EQ(one.calls(), 0);
  EXPECT_TRUE(one.cancel());
}

TEST_F(TimersTest, ACancelledTimerDoesNotFire) {
  WorkerStub on(timers_.get());
  Counted one;
  EXPECT_TRUE(one.cancel());  // was not armed
  one.arm(start_ + 1ms);
  EXPECT_TRUE(one.cancel());
  EXPECT_TRUE(one.cancel());
  EXPECT_FALSE(one.fired());
  EXPECT_EQ(timers_->pending(), 0u);
  EXPECT_TRUE(timers_->park_deadline().is_never());
  expire_all(start_ + 1s);
  EXPECT_EQ(one.calls(), 0);
  // And may be armed again.
  one.arm(start_ + 2s);
  expire_all(start_ + 3s);
  EXPECT_EQ(one.calls(), 1);
  EXPECT_FALSE(one.cancel());
  EXPECT_TRUE(one.fired());
  one.arm(start_ + 4s);
  EXPECT_FALSE(one.fired());
  one.arm(start_ + 5s);  // the one before is cancelled by that
  EXPECT_EQ(timers_->pending(), 1u);
  expire_all(start_ + 6s);
  EXPECT_EQ(one.calls(), 2);
}

TEST_F(TimersTest, AForeignCancelComesBackByMail) {
  WorkerStub on(timers_.get());
  const uint64_t before = frames_in_use();
  std::vector<std::unique_ptr<Counted>> all;
  for (int i = 0; i < 5000; ++i) {
    all.push_back(std::make_unique<Counted>());
    all.back()->arm(start_ + std::chrono::milliseconds(i + 10));
  }
  {
    WorkerStub elsewhere(nullptr);
    for (auto& one : all) ASSERT_TRUE(one->cancel());
  }
  EXPECT_EQ(timers_->pending(), 0u);
  EXPECT_GE(frames_in_use(), before + 5000);
  // The worker has something to do at once, though no deadline is near; bounded steps, and then the
  // memory is back.
  EXPECT_LE(timers_->next_deadline(), start_);
  const unsigned calls = expire_all(start_);
  EXPECT_GE(calls, 5000 / Timers::kMovesPerCall);
  EXPECT_LE(frames_in_use(), before + 1);  // the wheel keeps one empty chunk
  EXPECT_TRUE(timers_->park_deadline().is_never());
  EXPECT_EQ(fired_, 0u);
}

TEST_F(TimersTest, ABurstIsSpreadOverCalls) {
  WorkerStub on(timers_.get());
  std::vector<std::unique_ptr<Counted>> all;
  for (int i = 0; i < 10'000; ++i) {
    all.push_back(std::make_unique<Counted>());
    all.back()->arm(start_ + 1ms);
  }
  const Instant now = start_ + 2ms;
  unsigned calls = 0;
  while (timers_->pending() != 0) {
    ASSERT_LE(timers_->next_deadline(), now);
    const unsigned fired = timers_->expire(now);
    ASSERT_LE(fired, Timers::kFiresPerCall);
    ASSERT_GT(fired, 0u);
    ++calls;
  }
  EXPECT_EQ(calls, (10'000 + Timers::kFiresPerCall - 1) / Timers::kFiresPerCall);
  for (auto& one : all) EXPECT_EQ(one->calls(), 1);
}

// While a slot with many timers is settled, what is due fires as fast as ever.
TEST_F(TimersTest, SettlingDoesNotHoldUpWhatIsDue) {
  WorkerStub on(timers_.get());
  constexpr unsigned kDue = 20 * Timers::kFiresPerCall;
  const Instant far = start_ + 10s;
  auto many = std::make_unique<Counted[]>(40'000);
  for (int i = 0; i < 40'000; ++i) many[i].arm(far);
  const Instant opens = timers_->park_deadline();
  ASSERT_GT(opens, far + Duration(-140ms));
  ASSERT_LT(opens, far + Duration(-60ms));
  timers_->expire(opens + Duration(-1));  // the wheel learns how late it is
  auto due = std::make_unique<Counted[]>(kDue);
  for (unsigned i = 0; i < kDue; ++i) due[i].arm(opens);
  unsigned calls = 0;
  for (unsigned fired = 0; fired < kDue; ++calls) fired += timers_->expire(opens);
  EXPECT_EQ(calls, 20u);
  // And meanwhile the slot was settled at its full pace.
  while (timers_->next_deadline() <= opens) {
    timers_->expire(opens);
    ++calls;
  }
  EXPECT_LE(calls, 40'000 / Timers::kMovesPerCall + 2);
  expire_all(far + 1ms);
  for (int i = 0; i < 40'000; ++i) ASSERT_EQ(many[i].calls(), 1);
}

// Callbacks that cancel, re-arm and end other timers, some of them due at the same tick.
TEST_F(TimersTest, ACallbackMayUseOtherTimers) {
  WorkerStub on(timers_.get());
  struct Killer {
    Timer timer;
    std::vector<std::unique_ptr<Counted>> victims;
    unsigned cancelled = 0;
    Instant again;
    static void run(void* p) noexcept {
      auto* self = static_cast<Killer*>(p);
      EXPECT_FALSE(self->timer.cancel());  // it fires already
      for (auto& victim : self->victims) {
        if (!victim->cancel()) continue;
        ++self->cancelled;
        victim->arm(self->again);
      }
      self->victims.resize(self->victims.size() / 2);
    }
  };
  Killer killer;
  killer.again = start_ + 10ms;
  for (int i = 0; i < 40; ++i) {
    killer.victims.push_back(std::make_unique<Counted>());
    killer.victims.back()->arm(start_ + 1ms);
    if (i == 20) killer.timer.arm(start_ + 1ms, &Killer::run, &killer);
  }
  expire_all(start_ + 2ms);
  EXPECT_TRUE(killer.timer.fired());
  EXPECT_GT(killer.cancelled, 0u);
  EXPECT_LT(killer.cancelled, 40u);
  int early = 0;
  for (auto& victim : killer.victims) early += victim->calls();
  expire_all(start_ + 20ms);
  for (auto& victim : killer.victims) EXPECT_EQ(victim->calls(), 1);
  EXPECT_LE(early, 20);
}

TEST_F(TimersTest, TimersMoveToAnotherWorker) {
  Timers heir;
  std::vector<std::unique_ptr<Counted>> all;
  {
    WorkerStub on(timers_.get());
    for (int i = 0; i < 3000; ++i) {
      all.push_back(std::make_unique<Counted>());
      all.back()->arm(start_ + std::chrono::milliseconds(1 + i % 1000));
    }
    {
      WorkerStub elsewhere(nullptr);
      for (int i = 0; i < 3000; i += 10) ASSERT_TRUE(all[i]->cancel());  // mail that is not read
    }
    EXPECT_EQ(timers_->move_to(heir), 2700u);
  }
  EXPECT_EQ(timers_->pending(), 0u);
  EXPECT_EQ(heir.pending(), 2700u);
  {
    WorkerStub elsewhere(nullptr);
    for (int i = 1; i < 3000; i += 10) ASSERT_TRUE(all[i]->cancel());
  }
  WorkerStub on(&heir);
  // Before the heir has looked at what it got.
  for (int i = 2; i < 3000; i += 10) ASSERT_TRUE(all[i]->cancel());
  EXPECT_EQ(heir.pending(), 2100u);
  EXPECT_LE(heir.next_deadline(), start_);
  unsigned fired = 0;
  for (Instant now = start_; now <= start_ + 2s; now = now + 1ms) do
      fired += heir.expire(now);
    while (heir.next_deadline() <= now);
  EXPECT_EQ(fired, 2100u);
  for (int i = 0; i < 3000; ++i) EXPECT_EQ(all[i]->calls(), i % 10 > 2 ? 1 : 0);
  EXPECT_EQ(heir.pending(), 0u);
}

TEST_F(TimersTest, ASlotIsUsedAgain) {
  Timers heir;
  Counted one;
  for (int round = 0; round < 3; ++round) {
    heir.open();
    {
      WorkerStub on(timers_.get());
      one.arm(start_ + 1h);
      EXPECT_EQ(timers_->move_to(heir), 1u);
    }
    WorkerStub on(&heir);
    timers_->open();
    EXPECT_EQ(heir.move_to(*timers_), 1u);
    WorkerStub elsewhere(nullptr);
    EXPECT_TRUE(one.cancel());
    EXPECT_EQ(timers_->pending() + heir.pending(), 0u);
  }
  WorkerStub on(timers_.get());
  expire_all(start_);
}

// Random operations on two workers against what has to come out of them.
TEST_F(TimersTest, FiresWhatItShouldAndNothingElse) {
  ZOKIO_SEED_TRACE();
  std::mt19937_64 random(test::test_seed());
  Instant now = start_;
  for (int round = 0; round < 20; ++round) {
    Timers other;
    Timers* place[2] = {timers_.get(), &other};
    unsigned running = 0;  // whose turn it is; the other may be retired
    bool retired[2] = {false, false};
    struct Case : Counted {
      Instant deadline;
      bool armed = false;
      int expected = 0;
    };
    std::vector<std::unique_ptr<Case>> cases;
    for (int i = 0; i < 300; ++i) cases.push_back(std::make_unique<Case>());
    for (int step = 0; step < 4000; ++step) {
      Case& one = *cases[random() % cases.size()];
      WorkerStub on(place[running]);
      switch (random() % 16) {
        default:
          if (one.armed) break;
          one.deadline = now + Duration(random() >> (random() % 40 + 20));
          one.arm(one.deadline);
          one.armed = true;
          break;
        case 0:
        case 1:
        case 2:  // by whoever runs; owner or not
          if (one.armed) ASSERT_TRUE(one.cancel());
          one.armed = false;
          break;
        case 3:
        case 4: {
          WorkerStub elsewhere(nullptr);
          if (one.armed) ASSERT_TRUE(one.cancel());
          one.armed = false;
          break;
        }
        case 5:
          if (!retired[1 - running]) running = 1 - running;
          break;
        case 6:
          if (random() % 8 != 0) break;
          if (retired[1 - running]) {
            place[1 - running]->open();
            retired[1 - running] = false;
          } else {
            place[running]->move_to(*place[1 - running]);
            retired[running] = true;
            running = 1 - running;
          }
          break;
        case 7:
        case 8: {
          now = now + Duration(random() >> (random() % 34 + 26));
          for (unsigned w : {0u, 1u}) {
            if (retired[w]) continue;
            WorkerStub its(place[w]);
            do place[w]->expire(now);
            while (place[w]->next_deadline() <= now);
          }
          const int64_t tick = now.ns >> Timers::kTickShift << Timers::kTickShift;
          uint64_t left = 0;
          for (auto& c : cases) {
            if (c->armed && c->deadline.ns <= tick) {
              c->armed = false;
              ++c->expected;
            }
            left += c->armed;
            ASSERT_EQ(c->calls(), c->expected);
          }
          ASSERT_EQ(place[0]->pending() + place[1]->pending(), left);
          break;
        }
      }
    }
    cases.clear();
    for (unsigned w : {0u, 1u}) {
      WorkerStub its(place[w]);
      place[w]->open();
      do place[w]->expire(now);
      while (place[w]->next_deadline() <= now);
    }
    ASSERT_EQ(other.pending(), 0u);
  }
}

}  // namespace
}  // namespace zokio::time
