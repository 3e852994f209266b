// SPDX-License-Identifier: Apache-2.0
#pragma once

// Robust trends of a noisy, autocorrelated series: Theil-Sen slope and change between its ends,
// with intervals from a moving-block bootstrap. Pure; a seed makes the resampling repeatable.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace zokiod::soak {

struct Point {
  double t = 0;  // seconds
  double v = 0;
};

struct Interval {
  double low = 0;
  double high = 0;
  double width() const { return high - low; }
};

struct Trend {
  double estimate = 0;
  Interval interval;  // 95 %
};

// Means of consecutive groups, at most `blocks` of them: bounds the work and the noise.
std::vector<Point> block_means(std::span<const Point> points, size_t blocks);

double median(std::vector<double> values);  // 0 when empty

// The median of the slopes of all pairs; per second.
double theil_sen(std::span<const Point> points);

// The slope of `points` with its interval: residuals of the fit are resampled in blocks that last
// `block_seconds` (at least as long as what makes neighbours alike, a resize cycle for instance).
// Nullopt: fewer than 20 points or fewer than 5 blocks, which supports no interval.
std::optional<Trend> slope(std::span<const Point> points, double block_seconds, uint64_t seed);

// Median of the last quarter minus median of the first, with its interval. Nullopt as above.
std::optional<Trend> quarter_change(std::span<const Point> points, double block_seconds,
                                    uint64_t seed);

// Median of the first quarter.
double first_quarter(std::span<const Point> points);

}  // namespace zokiod::soak
