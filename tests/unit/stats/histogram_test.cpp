// SPDX-License-Identifier: Apache-2.0
#include "zokio/stats/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

namespace zokio::stats {
namespace {

uint64_t lower_bound_of(std::size_t index) {
  return index == 0 ? 0 : bucket_upper_bound(index - 1) + 1;
}

TEST(HistogramTest, BucketsTileTheRangeWithoutGapsAndAreNarrow) {
  for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
    const uint64_t low = lower_bound_of(i);
    const uint64_t high = bucket_upper_bound(i);
    ASSERT_LE(low, high) << i;
    EXPECT_EQ(bucket_of(low), i);
    EXPECT_EQ(bucket_of(high), i);
    // The width is at most 1/8 of the lower bound.
    if (low >= kSubBuckets)
      EXPECT_LE((high - low + 1) * kSubBuckets, low) << i;
    else
      EXPECT_EQ(low, high) << i;
  }
  EXPECT_EQ(bucket_upper_bound(kHistogramBuckets - 1), (uint64_t{1} << 42) - 1);
  EXPECT_EQ(bucket_of(uint64_t{1} << 42), kHistogramBuckets - 1);
  EXPECT_EQ(bucket_of(UINT64_MAX), kHistogramBuckets - 1);
}

TEST(HistogramTest, QuantileIsTheBoundOfTheBucketThatHoldsTheExactQuantile) {
  std::mt19937_64 rng(7);
  std::lognormal_distribution<double> latency(9.0, 2.0);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<uint64_t>(latency(rng)));
    histogram.record(values.back());
  }
  std::ranges::sort(values);
  const HistogramSnapshot snapshot = histogram.snapshot();
  for (double q : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size()))));
    EXPECT_EQ(snapshot.quantile(q), bucket_upper_bound(bucket_of(values[rank - 1]))) << q;
  }
}

TEST(HistogramTest, QuantileOfNothingAndOfOddShares) {
  EXPECT_EQ(HistogramSnapshot{}.quantile(0.5), 0u);
  Histogram histogram;
  histogram.record(5);
  histogram.record(12);
  const HistogramSnapshot snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.quantile(-1), 5u);
  EXPECT_EQ(snapshot.quantile(std::nan("")), 5u);
  EXPECT_EQ(snapshot.quantile(0.5), 5u);
  EXPECT_EQ(snapshot.quantile(0.51), 12u);
  EXPECT_EQ(snapshot.quantile(2), 12u);
}

TEST(HistogramTest, CountAtMostIsExactAtBoundsAndRoundsDownElsewhere) {
  Histogram histogram;
  for (uint64_t v : {0u, 1u, 15u, 16u, 17u, 1000u}) histogram.record(v);
  histogram.record(UINT64_MAX);
  const HistogramSnapshot snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, 7u);
  EXPECT_EQ(snapshot.count_at_most(0), 1u);
  EXPECT_EQ(snapshot.count_at_most(14), 2u);
  EXPECT_EQ(snapshot.count_at_most(15), 3u);
  EXPECT_EQ(snapshot.count_at_most(16), 3u);  // the bucket is 16..17
  EXPECT_EQ(snapshot.count_at_most(17), 5u);
  EXPECT_EQ(snapshot.count_at_most(uint64_t{1} << 41), 6u);
  EXPECT_EQ(snapshot.count_at_most((uint64_t{1} << 42) - 1), 6u);
  EXPECT_EQ(snapshot.count_at_most(UINT64_MAX), 7u);
}

TEST(HistogramTest, MergeIsTheHistogramOfBoth) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (uint64_t v = 1; v < 100'000; v = v * 5 / 4 + 1) {
    (v % 2 == 0 ? a : b).record(v);
    both.record(v);
  }
  HistogramSnapshot merged;
  merge(merged, a.snapshot());
  merge(merged, b.snapshot());
  const HistogramSnapshot expected = both.snapshot();
  EXPECT_EQ(merged.counts, expected.counts);
  EXPECT_EQ(merged.count, expected.count);
  EXPECT_EQ(merged.sum, expected.sum);
}

// Nine allocations in ten are hits, whatever the two samples' sizes are.
TEST(HistogramTest, AllocationTimesAreWeightedByHitsAndMisses) {
  PoolSnapshot pool;
  EXPECT_EQ(pool.allocation_ns(0.5), 0u);
  Histogram hits;
  for (int i = 0; i < 3; ++i) hits.record(5);
  Histogram misses;
  for (int i = 0; i < 100; ++i) misses.record(7);
  pool.hit_ns = hits.snapshot();
  pool.miss_ns = Histogram().snapshot();
  EXPECT_EQ(pool.allocation_ns(0.5), 5u);
  pool.miss_ns = misses.snapshot();
  pool.hits_thread = 90;
  pool.hits_shared = 4;
  pool.misses_os = 6;
  EXPECT_EQ(pool.allocation_ns(0.5), 5u);
  EXPECT_EQ(pool.allocation_ns(0.89), 5u);
  EXPECT_EQ(pool.allocation_ns(0.91), 7u);
  EXPECT_EQ(pool.allocation_ns(1), 7u);
  EXPECT_DOUBLE_EQ(pool.hit_rate(), 0.9);
  EXPECT_DOUBLE_EQ(pool.reuse_rate(), 0.94);
}

TEST(HistogramTest, SharedRecordingLosesNothing) {
  Histogram histogram;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&histogram, t] {
      for (uint64_t i = 0; i < 20'000; ++i) histogram.record_shared(100 * t);
    });
  }
  for (auto& thread : threads) thread.join();
  const HistogramSnapshot snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, 80'000u);
  EXPECT_EQ(snapshot.sum, 20'000u * (0 + 100 + 200 + 300));
  EXPECT_EQ(snapshot.counts[bucket_of(200)], 20'000u);
}

}  // namespace
}  // namespace zokio::stats
