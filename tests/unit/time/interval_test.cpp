// SPDX-License-Identifier: Apache-2.0
#include "zokio/time/interval.h"

#include <vector>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using IntervalTest = test::RuntimeTest;

constexpr Instant at(Duration since) {
  return Instant{0} + since;
}

TEST(TickAfter, APunctualTickIsFollowedAPeriodLater) {
  for (MissedTicks missed : {MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip}) {
    EXPECT_EQ(time::tick_after(at(1s), at(1s), 100ms, missed), at(1100ms));
    // A little late is not missed: the ticks do not drift.
    EXPECT_EQ(time::tick_after(at(1s), at(1s + time::kMissedAfter), 100ms, missed), at(1100ms));
  }
}

TEST(TickAfter, ALateTickIsFollowedByThePolicy) {
  const Instant now = at(1s + 250ms);  // two more were due meanwhile
  EXPECT_EQ(time::tick_after(at(1s), now, 100ms, MissedTicks::Burst), at(1100ms));
  EXPECT_EQ(time::tick_after(at(1s), now, 100ms, MissedTicks::Delay), at(1350ms));
  EXPECT_EQ(time::tick_after(at(1s), now, 100ms, MissedTicks::Skip), at(1300ms));
  // Exactly on a multiple: that one has just been missed.
  EXPECT_EQ(time::tick_after(at(1s), at(1200ms), 100ms, MissedTicks::Skip), at(1300ms));
}

TEST_P(IntervalTest, TicksAtMultiplesOfItsPeriodAndNeverEarly) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    const Instant start = Instant::now() + 3ms;
    Interval every = interval_at(start, 2ms);
    for (int i = 0; i < 20; ++i) {
      ZOKIO_CO_TRY(Instant due, co_await every.tick());
      // Burst, the default: whatever the machine did meanwhile, no tick is left out.
      if (due != start + i * 2ms) co_return fail(Errc::Internal, "due");
      if (Instant::now() < due) co_return fail(Errc::Internal, "early");
    }
    co_return 20;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
}

TEST_P(IntervalTest, TheFirstTickIsAtOnceAndResetStartsAPeriod) {
  auto outcome = runtime_->block_on([]() -> Task<Result<Duration>> {
    Interval every = interval(20ms);
    ZOKIO_CO_TRY(Instant first, co_await every.tick());
    if (Instant::now() < first) co_return fail(Errc::Internal, "early");
    every.reset_at(first + 1ms);
    ZOKIO_CO_TRY(Instant second, co_await every.tick());
    if (second != first + 1ms) co_return fail(Errc::Internal, "reset_at");
    const Instant before = Instant::now();
    every.reset();
    ZOKIO_CO_TRY(Instant third, co_await every.tick());
    co_return third - before;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_GE(*outcome, 20ms);
}

TEST_P(IntervalTest, ACancelledTickIsStillToCome) {
  auto outcome = runtime_->block_on([]() -> Task<Result<bool>> {
    struct Inner {
      static Task<Result<Instant>> wait(Interval* every) { co_return co_await every->tick(); }
    };
    const Instant start = Instant::now() + 10ms;
    Interval every = interval_at(start, 1h);
    auto cut = co_await with_timeout(Inner::wait(&every), 1ms);
    if (cut.has_value()) co_return *cut == start;  // a slow machine: the tick was due by then
    ZOKIO_CO_TRY(Instant due, co_await every.tick());
    co_return due == start;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_TRUE(*outcome);
}

ZOKIO_RUNTIME_MATRIX(IntervalTest);

}  // namespace
}  // namespace zokio
