// SPDX-License-Identifier: Apache-2.0
// Workers expire and hand over while other threads cancel: each timer fires or is cancelled,
// exactly one of the two, exactly once, and all memory comes back.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "seed.h"
#include "time/timers.h"
#include "worker_stub.h"
#include "zokio/base/spin_lock.h"
#include "zokio/mem/pools.h"

namespace zokio::time {
namespace {

using namespace std::chrono_literals;
using test::Counted;
using test::WorkerStub;

constexpr int kTimers = 2000;
constexpr int kCancellers = 3;

struct Shared {
  std::unique_ptr<Counted[]> timers = std::make_unique<Counted[]>(kTimers);
  std::atomic<int> armed{0};       // timers below this may be cancelled
  std::atomic<int> cancellers{0};  // running
  std::atomic<uint64_t> cancelled{0};
  std::atomic<uint64_t> refused{0};
};

// Cancels every kCancellers-th timer, in a random order, as they are armed.
void cancel_some(Shared& shared, int first, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int next = first; next < kTimers;) {
    const int armed = shared.armed.load(std::memory_order_acquire);
    if (next >= armed) {
      std::this_thread::yield();
      continue;
    }
    // A few at a time, the newest first: those far away and those about to fire.
    std::vector<int> few;
    for (; next < armed && few.size() < 16; next += kCancellers) few.push_back(next);
    while (!few.empty()) {
      Counted& timer = shared.timers[few.back()];
      few.pop_back();
      if (random() % 4 == 0) continue;
      if (timer.cancel()) {
        EXPECT_EQ(timer.calls(), 0);
        EXPECT_FALSE(timer.fired());
        shared.cancelled.fetch_add(1);
      } else {
        // The callback has ended, so its effect is visible.
        EXPECT_EQ(timer.calls(), 1);
        shared.refused.fetch_add(1);
      }
    }
  }
  shared.cancellers.fetch_sub(1, std::memory_order_release);
}

// Arms timers that are due within a millisecond or so of the test's own time, and lets it pass.
void arm_some(Shared& shared, Instant& now, std::mt19937_64& random) {
  const int armed = shared.armed.load(std::memory_order_relaxed);
  const int most = std::min(kTimers, armed + 20);
  for (int i = armed; i < most; ++i) {
    const Duration delay = random() % 10 == 0 ? Duration(100s) : Duration(random() % 3'000'000);
    shared.timers[i].arm(now + delay);
    shared.armed.store(i + 1, std::memory_order_release);
  }
  now = now + Duration(500us);
}

class TimerRace : public testing::Test {
 protected:
  void start_cancellers() {
    shared_.cancellers = kCancellers;
    for (int i = 0; i < kCancellers; ++i)
      threads_.emplace_back(cancel_some, std::ref(shared_), i, random_());
  }
  void check(uint64_t fired) {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    uint64_t called = 0;
    for (int i = 0; i < kTimers; ++i) {
      ASSERT_LE(shared_.timers[i].calls(), 1);
      called += static_cast<uint64_t>(shared_.timers[i].calls());
    }
    EXPECT_EQ(called, fired);
    EXPECT_EQ(called + shared_.cancelled.load(), uint64_t{kTimers});
    EXPECT_LE(shared_.refused.load(), called);
  }

  std::mt19937_64 random_{test::test_seed()};
  Shared shared_;
  std::vector<std::thread> threads_;
};

unsigned expire_all(Timers& timers, Instant now) {
  unsigned fired = 0;
  do fired += timers.expire(now);
  while (timers.next_deadline() <= now);
  return fired;
}

TEST_F(TimerRace, CancelAgainstExpiry) {
  ZOKIO_SEED_TRACE();
  const uint64_t before = mem::snapshot(mem::PoolId::Frames).objects_in_use;
  for (int round = 0; round < 10; ++round) {
    shared_.timers = std::make_unique<Counted[]>(kTimers);
    shared_.armed = 0;
    shared_.cancelled = shared_.refused = 0;
    Timers timers;
    WorkerStub on(&timers);
    Instant now = Instant::now();
    uint64_t fired = 0;
    start_cancellers();
    while (shared_.armed.load() < kTimers ||
           shared_.cancellers.load(std::memory_order_acquire) > 0) {
      arm_some(shared_, now, random_);
      fired += timers.expire(now);
    }
    fired += expire_all(timers, now + 200s);
    check(fired);
    expire_all(timers, now + 200s);
    EXPECT_EQ(timers.pending(), 0u);
    shared_.timers.reset();
    EXPECT_LE(mem::snapshot(mem::PoolId::Frames).objects_in_use, before + 1);
  }
  EXPECT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, before);
}

// The newest fire first and the oldest are cancelled first: somewhere on the way the two meet.
TEST_F(TimerRace, CancelMeetsExpiry) {
  constexpr int kRounds = 3000;
  constexpr int kFew = 64;
  Timers timers;
  WorkerStub on(&timers);
  std::unique_ptr<Counted[]> few;
  std::atomic<int> round{0};
  std::atomic<int> answered{0};
  int cancelled = 0;
  std::thread other([&] {
    for (int r = 1; r <= kRounds; ++r) {
      for (int spins = 0; round.load(std::memory_order_acquire) < r; ++spins) spin_pause(spins);
      cancelled = 0;
      for (int i = 0; i < kFew; ++i) {
        const bool in_time = few[i].cancel();
        EXPECT_EQ(few[i].calls(), in_time ? 0 : 1);
        cancelled += in_time;
      }
      answered.store(r, std::memory_order_release);
    }
  });
  Instant now = Instant::now();
  for (int r = 1; r <= kRounds; ++r) {
    few = std::make_unique<Counted[]>(kFew);
    now = now + 2ms;
    for (int i = 0; i < kFew; ++i) few[i].arm(now);
    now = now + 1ms;
    round.store(r, std::memory_order_release);
    int fired = static_cast<int>(timers.expire(now));
    for (int spins = 0; answered.load(std::memory_order_acquire) < r; ++spins) spin_pause(spins);
    fired += static_cast<int>(expire_all(timers, now));
    ASSERT_EQ(fired + cancelled, kFew);
    for (int i = 0; i < kFew; ++i) fired -= few[i].calls();
    ASSERT_EQ(fired, 0);
    ASSERT_EQ(timers.pending(), 0u);
  }
  other.join();
}

// Two slots; the worker of one runs on, that of the other comes and goes, and each time its timers
// move over.
TEST_F(TimerRace, CancelAgainstHandOver) {
  ZOKIO_SEED_TRACE();
  const uint64_t before = mem::snapshot(mem::PoolId::Frames).objects_in_use;
  for (int round = 0; round < 5; ++round) {
    shared_.timers = std::make_unique<Counted[]>(kTimers);
    shared_.armed = 0;
    shared_.cancelled = shared_.refused = 0;
    const Instant start = Instant::now();
    Timers stays;
    Timers goes;
    std::atomic<int64_t> passed{0};
    std::atomic<bool> over{false};
    std::atomic<uint64_t> fired{0};
    std::thread survivor([&] {
      WorkerStub on(&stays);
      while (!over.load(std::memory_order_acquire)) {
        fired += stays.expire(start + Duration(passed.load(std::memory_order_relaxed)));
        std::this_thread::yield();
      }
      fired += expire_all(stays, start + 1h);
    });
    start_cancellers();
    Instant now = start;
    while (shared_.armed.load() < kTimers ||
           shared_.cancellers.load(std::memory_order_acquire) > 0) {
      goes.open();
      std::thread worker([&] {
        WorkerStub on(&goes);
        for (int pass = 0; pass < 3; ++pass) {
          arm_some(shared_, now, random_);
          fired += goes.expire(now);
        }
        goes.move_to(stays);
      });
      worker.join();
      passed.store((now - start).count(), std::memory_order_relaxed);
    }
    over.store(true, std::memory_order_release);
    survivor.join();
    check(fired.load());
    WorkerStub on(&stays);
    expire_all(stays, start + 1h);
    EXPECT_EQ(stays.pending() + goes.pending(), 0u);
  }
  shared_.timers.reset();
  EXPECT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, before);
}

}  // namespace
}  // namespace zokio::time
