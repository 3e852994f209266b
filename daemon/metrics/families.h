// SPDX-License-Identifier: Apache-2.0
#pragma once

// Builds prometheus::MetricFamily values: one call opens a family, one call adds a series.
// A family is written even when it has no series yet, so that every name is known from the first
// scrape. Thread: one builder, one thread.

#include <prometheus/metric_family.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zokio/stats/snapshot.h"

namespace zokiod::metrics {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// Bucket bounds in nanoseconds, ascending (operations: scheduler, I/O, jobs).
std::span<const uint64_t> scheduler_buckets();
std::span<const uint64_t> io_buckets();
std::span<const uint64_t> job_buckets();
std::span<const uint64_t> allocation_buckets();

class Families {
 public:
  Families& counter(const char* name, const char* help);
  Families& gauge(const char* name, const char* help);
  Families& histogram(const char* name, const char* help, std::span<const uint64_t> buckets);

  // A series of the family opened last.
  Families& add(double value, Labels labels = {});
  Families& add(uint64_t value, Labels labels = {}) {
    return add(static_cast<double>(value), std::move(labels));
  }
  // Nanoseconds, exported as seconds.
  Families& add_ns(uint64_t ns, Labels labels = {}) {
    return add(static_cast<double>(ns) / 1e9, std::move(labels));
  }
  // A histogram of nanoseconds, exported in seconds.
  Families& add(const zokio::HistogramSnapshot& values, Labels labels = {});

  std::vector<prometheus::MetricFamily> take() { return std::move(families_); }
  // Series so far; a histogram counts its buckets, its sum and its count.
  size_t series() const;

 private:
  Families& open(const char* name, const char* help, prometheus::MetricType type);
  prometheus::ClientMetric& append(Labels labels);

  std::vector<prometheus::MetricFamily> families_;
  std::span<const uint64_t> buckets_;
};

}  // namespace zokiod::metrics
