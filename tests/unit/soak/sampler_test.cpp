// SPDX-License-Identifier: Apache-2.0

#include "soak/sampler.h"

#include <gtest/gtest.h>

#include "zokio/stats/histogram.h"

namespace zokiod::soak {
namespace {

TEST(Between, IsWhatCameSince) {
  zokio::stats::Histogram histogram;
  histogram.record(1'000);
  const auto before = histogram.snapshot();
  for (int i = 0; i < 10; ++i) histogram.record(1'000'000);
  const auto fresh = between(before, histogram.snapshot());
  EXPECT_EQ(fresh.count, 10u);
  EXPECT_NEAR(static_cast<double>(fresh.quantile(0.5)), 1e6, 1e6 / 8);
  EXPECT_EQ(between({}, before).count, 1u);
  EXPECT_EQ(between(before, before).count, 0u);
}

TEST(Sampler, LatencyIsThatOfTheInterval) {
  zokio::stats::Histogram delay;
  Sampler sampler;
  Sources now;
  delay.record(50'000'000);
  now.runtime.scheduler.delay_ns = delay.snapshot();
  EXPECT_NEAR(sampler.take(1, true, now).sched_p99_s, 0.05, 0.007);
  const Sample quiet = sampler.take(2, true, now);
  EXPECT_EQ(quiet.sched_count, 0u);
  EXPECT_EQ(quiet.sched_p99_s, 0);
  delay.record(1'000'000);
  now.runtime.scheduler.delay_ns = delay.snapshot();
  const Sample later = sampler.take(3, true, now);
  EXPECT_EQ(later.sched_count, 1u);
  EXPECT_NEAR(later.sched_p99_s, 0.001, 0.00013);
}

TEST(Sampler, StorageOperationsOnly) {
  zokio::stats::Histogram slow;
  slow.record(3'000'000'000);
  zokio::stats::Histogram fast;
  fast.record(100'000);
  Sources now;
  now.runtime.io.ops.resize(2);
  now.runtime.io.ops[0].op = "accept";
  now.runtime.io.ops[0].duration_ns = slow.snapshot();
  now.runtime.io.ops[1].op = "write";
  now.runtime.io.ops[1].duration_ns = fast.snapshot();
  Sampler sampler;
  const Sample sample = sampler.take(1, true, now);
  EXPECT_EQ(sample.io_count, 1u);
  EXPECT_LT(sample.io_p99_s, 0.001) << "how long a connection takes to come is no latency of ours";
}

TEST(Sampler, CountsLiveSlotsAndSumsPools) {
  Sources now;
  now.runtime.scheduler.workers.resize(3);
  now.runtime.scheduler.workers[0].state = zokio::WorkerState::Running;
  now.runtime.scheduler.workers[1].state = zokio::WorkerState::Retiring;
  now.runtime.pools.resize(2);
  now.runtime.pools[0].hits_thread = 5;
  now.runtime.pools[1].misses_os = 2;
  now.runtime.pools[1].cached_bytes = 9;
  Sampler sampler;
  const Sample sample = sampler.take(1, false, now);
  EXPECT_EQ(sample.workers, 2u);
  EXPECT_EQ(sample.pool_requests, 7u);
  EXPECT_EQ(sample.pool_misses, 2u);
  EXPECT_EQ(sample.pool_cached_bytes, 9u);
}

}  // namespace
}  // namespace zokiod::soak
