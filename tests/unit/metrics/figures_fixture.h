// SPDX-License-Identifier: Apache-2.0
#pragma once

// Figures in which every source has a row, all at zero, and the exposition as a map.

#include <map>
#include <string>

#include "metrics/exporter.h"
#include "zokio/stats/histogram.h"

namespace zokiod::metrics::test {

inline Figures zero_figures() {
  Figures f;
  f.unix_ms = 1'700'000'000'000;
  f.runtime.taken_ns = 5'000'000'000;
  f.runtime.scheduler.workers.resize(2);
  for (uint32_t i = 0; i < 2; ++i) {
    f.runtime.scheduler.workers[i].slot = i;
    f.runtime.scheduler.workers[i].state = zokio::WorkerState::Running;
    f.runtime.scheduler.workers[i].heartbeat_ns = f.runtime.taken_ns;
  }
  f.runtime.pools.resize(1);
  f.runtime.pools[0].name = "buffers";
  f.runtime.io.backend = "io_uring";
  f.runtime.io.reactors.resize(1);
  f.runtime.io.reactors[0].backend = "io_uring";
  f.runtime.io.reactors[0].state = zokio::ReactorState::Active;
  f.runtime.io.reactors[0].features = "single_issuer";
  f.runtime.io.ops.resize(1);
  f.runtime.io.ops[0].op = "read";
  f.runtime.io.ops[0].backend = "io_uring";
  f.jobs.kinds.resize(1);
  f.jobs.kinds[0].kind = "exec";
  f.jobs.queues.resize(1);
  f.jobs.queues[0].spec.name = "default";
  f.jobs.rejected["QUEUE_FULL"] = 0;
  f.server.resizes = {{.component = "workers"}};
  f.server.rpc.methods.resize(1);
  f.server.rpc.methods[0] = {"zokio.v1.JobService", "GetJob", {{"OK", 0}, {"NOT_FOUND", 0}}, {}};
  f.soak.checks = {{.name = "jobs-lost"}};
  f.soak.slopes = {{.resource = "rss", .per_second = 0}};
  return f;
}

// Every sample by its name and labels, as text would have it: `name{label="value",...}`.
inline std::map<std::string, double> samples(const Figures& figures) {
  std::map<std::string, double> out;
  for (const prometheus::MetricFamily& family : families_of(figures)) {
    for (const prometheus::ClientMetric& metric : family.metric) {
      std::string labels;
      for (const auto& label : metric.label) {
        labels += (labels.empty() ? "" : ",") + label.name + "=\"" + label.value + "\"";
      }
      const std::string key = family.name + "{" + labels + "}";
      switch (family.type) {
        case prometheus::MetricType::Counter:
          out[key] = metric.counter.value;
          break;
        case prometheus::MetricType::Gauge:
          out[key] = metric.gauge.value;
          break;
        default:
          out[key + " count"] = static_cast<double>(metric.histogram.sample_count);
          out[key + " sum"] = metric.histogram.sample_sum;
      }
    }
  }
  return out;
}

inline zokio::HistogramSnapshot histogram_of(std::initializer_list<uint64_t> values) {
  zokio::stats::Histogram histogram;
  for (const uint64_t value : values) histogram.record(value);
  return histogram.snapshot();
}

}  // namespace zokiod::metrics::test
