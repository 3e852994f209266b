// SPDX-License-Identifier: Apache-2.0

#include "soak/trend.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace zokiod::soak {
namespace {

// Pairs grow with the square: 120 means are 7,140 slopes for a fit, 3 million with resampling.
constexpr size_t kFitBlocks = 120;
constexpr size_t kResamples = 400;
constexpr size_t kPointsMin = 20;
// Fewer independent pieces than this say nothing about the spread.
constexpr size_t kBlocksMin = 5;

double middle(std::vector<double>& values) {
  const auto mid = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), mid, values.end());
  if (values.size() % 2 == 1) return *mid;
  return (*mid + *std::max_element(values.begin(), mid)) / 2;
}

// The 2.5 % and 97.5 % points of the estimates that resampling gave.
Interval spread_of(std::vector<double> estimates) {
  std::sort(estimates.begin(), estimates.end());
  const auto at = [&estimates](double q) {
    const double index = q * static_cast<double>(estimates.size() - 1);
    return estimates[static_cast<size_t>(std::lround(index))];
  };
  return {at(0.025), at(0.975)};
}

// An interval always contains its estimate, also where resampling is lopsided.
Interval around(Interval interval, double estimate) {
  return {std::min(interval.low, estimate), std::max(interval.high, estimate)};
}

std::vector<double> values_of(std::span<const Point> points) {
  std::vector<double> values;
  values.reserve(points.size());
  for (const Point& p : points) values.push_back(p.v);
  return values;
}

// How many neighbouring points go together into a block of `block_seconds`.
size_t block_length(std::span<const Point> points, double block_seconds) {
  const double step = (points.back().t - points.front().t) / static_cast<double>(points.size() - 1);
  if (!(step > 0)) return points.size();
  return std::max<size_t>(1, static_cast<size_t>(std::ceil(block_seconds / step)));
}

// Blocks drawn with replacement from anywhere in `values`, put one behind the other.
void resample(std::span<const double> values, size_t length, std::mt19937_64& random,
              std::vector<double>& out) {
  out.clear();
  std::uniform_int_distribution<size_t> start(0, values.size() - length);
  while (out.size() < values.size()) {
    const size_t from = start(random);
    for (size_t i = 0; i < length && out.size() < values.size(); ++i) {
      out.push_back(values[from + i]);
    }
  }
}

bool enough(std::span<const Point> points, double block_seconds) {
  if (points.size() < kPointsMin) return false;
  return block_length(points, block_seconds) * kBlocksMin <= points.size();
}

}  // namespace

std::vector<Point> block_means(std::span<const Point> points, size_t blocks) {
  const size_t group = std::max<size_t>(1, (points.size() + blocks - 1) / blocks);
  std::vector<Point> means;
  for (size_t from = 0; from < points.size(); from += group) {
    const size_t count = std::min(group, points.size() - from);
    Point mean;
    for (const Point& p : points.subspan(from, count)) {
      mean.t += p.t / static_cast<double>(count);
      mean.v += p.v / static_cast<double>(count);
    }
    means.push_back(mean);
  }
  return means;
}

double median(std::vector<double> values) {
  return values.empty() ? 0 : middle(values);
}

double theil_sen(std::span<const Point> points) {
  std::vector<double> slopes;
  slopes.reserve(points.size() * (points.size() + 1) / 2);
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = i + 1; j < points.size(); ++j) {
      const double dt = points[j].t - points[i].t;
      if (dt > 0) slopes.push_back((points[j].v - points[i].v) / dt);
    }
  }
  return slopes.empty() ? 0 : middle(slopes);
}

std::optional<Trend> slope(std::span<const Point> points, double block_seconds, uint64_t seed) {
  if (!enough(points, block_seconds)) return std::nullopt;
  const std::vector<Point> means = block_means(points, kFitBlocks);
  if (!enough(means, block_seconds)) return std::nullopt;

  Trend trend;
  trend.estimate = theil_sen(means);
  std::vector<double> residuals;
  for (const Point& p : means) residuals.push_back(p.v - trend.estimate * p.t);

  const size_t length = block_length(means, block_seconds);
  std::mt19937_64 random(seed);
  std::vector<double> noise;
  std::vector<double> estimates;
  std::vector<Point> copy = means;
  for (size_t n = 0; n < kResamples; ++n) {
    resample(residuals, length, random, noise);
    for (size_t i = 0; i < copy.size(); ++i) copy[i].v = trend.estimate * copy[i].t + noise[i];
    estimates.push_back(theil_sen(copy));
  }
  trend.interval = around(spread_of(std::move(estimates)), trend.estimate);
  return trend;
}

std::optional<Trend> quarter_change(std::span<const Point> points, double block_seconds,
                                    uint64_t seed) {
  if (!enough(points, block_seconds)) return std::nullopt;
  const size_t quarter = points.size() / 4;
  const std::vector<double> first = values_of(points.first(quarter));
  const std::vector<double> last = values_of(points.last(quarter));

  Trend trend;
  trend.estimate = median(last) - median(first);
  // Each quarter is resampled from itself: a drift between them is no noise within them.
  const size_t length =
      std::min(block_length(points, block_seconds), std::max<size_t>(1, quarter / 2));
  std::mt19937_64 random(seed);
  std::vector<double> a;
  std::vector<double> b;
  std::vector<double> differences;
  for (size_t n = 0; n < kResamples; ++n) {
    resample(first, length, random, a);
    resample(last, length, random, b);
    differences.push_back(middle(b) - middle(a));
  }
  trend.interval = around(spread_of(std::move(differences)), trend.estimate);
  return trend;
}

double first_quarter(std::span<const Point> points) {
  return median(values_of(points.first(points.size() / 4)));
}

}  // namespace zokiod::soak
