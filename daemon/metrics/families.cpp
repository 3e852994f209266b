// SPDX-License-Identifier: Apache-2.0

#include "metrics/families.h"

#include <algorithm>
#include <array>

namespace zokiod::metrics {
namespace {

constexpr uint64_t kMicro = 1'000;
constexpr uint64_t kMilli = 1'000'000;
constexpr uint64_t kSecond = 1'000'000'000;

constexpr std::array<uint64_t, 17> kSchedulerBuckets = {
    1 * kMicro,   5 * kMicro,   10 * kMicro,  25 * kMicro,   50 * kMicro, 100 * kMicro,
    250 * kMicro, 500 * kMicro, 1 * kMilli,   2500 * kMicro, 5 * kMilli,  10 * kMilli,
    25 * kMilli,  50 * kMilli,  100 * kMilli, 250 * kMilli,  1 * kSecond};
constexpr std::array<uint64_t, 18> kIoBuckets = {
    10 * kMicro,  25 * kMicro,   50 * kMicro,  100 * kMicro, 250 * kMicro,  500 * kMicro,
    1 * kMilli,   2500 * kMicro, 5 * kMilli,   10 * kMilli,  25 * kMilli,   50 * kMilli,
    100 * kMilli, 250 * kMilli,  500 * kMilli, 1 * kSecond,  2500 * kMilli, 10 * kSecond};
constexpr std::array<uint64_t, 12> kAllocationBuckets = {
    1, 2, 5, 10, 50, 100, 500, 1 * kMicro, 5 * kMicro, 50 * kMicro, 500 * kMicro, 5 * kMilli};
constexpr std::array<uint64_t, 14> kJobBuckets = {
    1 * kMilli,   5 * kMilli,    10 * kMilli,   50 * kMilli,   100 * kMilli,
    500 * kMilli, 1 * kSecond,   5 * kSecond,   10 * kSecond,  30 * kSecond,
    60 * kSecond, 300 * kSecond, 900 * kSecond, 3600 * kSecond};

}  // namespace

std::span<const uint64_t> scheduler_buckets() {
  return kSchedulerBuckets;
}
std::span<const uint64_t> io_buckets() {
  return kIoBuckets;
}
std::span<const uint64_t> job_buckets() {
  return kJobBuckets;
}
std::span<const uint64_t> allocation_buckets() {
  return kAllocationBuckets;
}

Families& Families::counter(const char* name, const char* help) {
  return open(name, help, prometheus::MetricType::Counter);
}

Families& Families::gauge(const char* name, const char* help) {
  return open(name, help, prometheus::MetricType::Gauge);
}

Families& Families::histogram(const char* name, const char* help,
                              std::span<const uint64_t> buckets) {
  buckets_ = buckets;
  return open(name, help, prometheus::MetricType::Histogram);
}

Families& Families::open(const char* name, const char* help, prometheus::MetricType type) {
  families_.push_back({.name = name, .help = help, .type = type, .metric = {}});
  return *this;
}

prometheus::ClientMetric& Families::append(Labels labels) {
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  metric.label.reserve(labels.size());
  for (auto& [name, value] : labels) {
    metric.label.push_back({.name = std::string(name), .value = std::move(value)});
  }
  return metric;
}

Families& Families::add(double value, Labels labels) {
  const bool counter = families_.back().type == prometheus::MetricType::Counter;
  prometheus::ClientMetric& metric = append(std::move(labels));
  (counter ? metric.counter.value : metric.gauge.value) = value;
  return *this;
}

Families& Families::add(const zokio::HistogramSnapshot& values, Labels labels) {
  prometheus::ClientMetric::Histogram& histogram = append(std::move(labels)).histogram;
  histogram.sample_count = values.count;
  histogram.sample_sum = static_cast<double>(values.sum) / 1e9;
  histogram.bucket.reserve(buckets_.size());
  for (const uint64_t bound : buckets_) {
    // The total is read apart from the buckets; a bucket never exceeds it in what is written.
    const uint64_t below = std::min(values.count_at_most(bound), values.count);
    histogram.bucket.push_back(
        {.cumulative_count = below, .upper_bound = static_cast<double>(bound) / 1e9});
  }
  return *this;
}

size_t Families::series() const {
  size_t total = 0;
  for (const prometheus::MetricFamily& family : families_) {
    for (const prometheus::ClientMetric& metric : family.metric) {
      const bool histogram = family.type == prometheus::MetricType::Histogram;
      total += histogram ? metric.histogram.bucket.size() + 3 : 1;  // +Inf, sum and count
    }
  }
  return total;
}

}  // namespace zokiod::metrics
