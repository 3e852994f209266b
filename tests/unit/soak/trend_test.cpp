// SPDX-License-Identifier: Apache-2.0
// The trend estimators on series whose trend is known.

#include "soak/trend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

namespace zokiod::soak {
namespace {

std::vector<Point> series(int n, const std::function<double(int)>& value) {
  std::vector<Point> points;
  for (int i = 0; i < n; ++i) points.push_back({static_cast<double>(i), value(i)});
  return points;
}

TEST(TheilSen, IsExactOnALineAndIgnoresOutliers) {
  EXPECT_DOUBLE_EQ(theil_sen(series(50, [](int i) { return 3.0 * i + 7; })), 3.0);
  const auto spiked = series(50, [](int i) { return i % 5 == 0 ? 1e9 : 3.0 * i; });
  EXPECT_NEAR(theil_sen(spiked), 3.0, 1e-9);
  EXPECT_EQ(theil_sen({}), 0);
}

TEST(BlockMeans, KeepTheMeanAndBoundTheCount) {
  const auto means = block_means(series(1000, [](int i) { return static_cast<double>(i); }), 100);
  ASSERT_EQ(means.size(), 100u);
  EXPECT_DOUBLE_EQ(means.front().v, 4.5);
  EXPECT_DOUBLE_EQ(means.back().t, 994.5);
}

TEST(Slope, IntervalCoversTheTruthOfCorrelatedNoise) {
  // Noise that remembers: neighbours are alike for about ten samples. 95 % intervals may miss, not
  // often: of 40 series at least 32 must cover the truth.
  int covered = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    double noise = 0;
    const auto points = series(480, [&](int i) {
      noise = 0.9 * noise + normal(random);
      return 0.01 * i + noise;
    });
    const auto trend = slope(points, 30, seed);
    ASSERT_TRUE(trend.has_value());
    covered += trend->interval.low <= 0.01 && 0.01 <= trend->interval.high;
  }
  EXPECT_GE(covered, 32);
}

TEST(Slope, RefusesTooLittle) {
  EXPECT_FALSE(slope(series(19, [](int) { return 1.0; }), 1, 1).has_value());
  EXPECT_FALSE(slope(series(100, [](int) { return 1.0; }), 30, 1).has_value()) << "four blocks";
  EXPECT_FALSE(slope({}, 1, 1).has_value());
  EXPECT_TRUE(slope(series(100, [](int) { return 1.0; }), 10, 1).has_value());
}

TEST(Slope, SameSeedGivesTheSameInterval) {
  std::mt19937_64 random(3);
  const auto points = series(300, [&](int) { return static_cast<double>(random() % 100); });
  const auto a = slope(points, 20, 5);
  const auto b = slope(points, 20, 5);
  EXPECT_EQ(a->interval.low, b->interval.low);
  EXPECT_EQ(a->interval.high, b->interval.high);
}

TEST(QuarterChange, SeesAStepAndNotANoise) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  const auto flat = series(400, [&](int) { return 10 + normal(random); });
  const auto step = series(400, [&](int i) { return 10 + normal(random) + (i >= 300 ? 5 : 0); });
  const auto calm = quarter_change(flat, 20, 1);
  EXPECT_LT(std::fabs(calm->estimate), 0.8);
  EXPECT_LE(calm->interval.low, 0.3);
  const auto jump = quarter_change(step, 20, 1);
  EXPECT_NEAR(jump->estimate, 5, 0.8);
  EXPECT_GT(jump->interval.low, 4);
  EXPECT_NEAR(first_quarter(step), 10, 0.5);
}

}  // namespace
}  // namespace zokiod::soak
