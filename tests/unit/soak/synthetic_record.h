// SPDX-License-Identifier: Apache-2.0
#pragma once

// Records of soaks that never were: flat with noise, to which a test adds what has to be noticed.

#include <cmath>
#include <random>
#include <stdexcept>

#include "soak/record.h"
#include "soak/verdict.h"

namespace zokiod::soak::test {

struct Shape {
  double duration_s = 600;
  double rss_noise_bytes = 1 << 20;   // one sample
  double rss_resize_bytes = 3 << 19;  // moves with each resize, and stays until the next
  double latency_s = 0.004;
  double latency_noise = 0.5;  // as a share of itself
  uint64_t seed = 7;
};

// A good soak: every job ended, nothing grows.
inline Record good_record(Shape shape = {}) {
  Record r;
  StartRequest request{.profile = "smoke",
                       .duration = zokio::Duration(static_cast<int64_t>(shape.duration_s * 1e9)),
                       .seed = shape.seed,
                       .inject = {}};
  r.plan = *make_plan(request, {.baseline = {.workers = 2, .reactors = 2}, .checksum_dir = {}});
  r.run_id = "20260101-000000-0007";
  r.start_unix_ms = 1'767'225'600'000;
  r.phase = Phase::Done;
  r.elapsed_s = shape.duration_s;
  r.steady_from_s = r.plan.warmup_s;
  r.histories_full = true;
  std::mt19937_64 random(shape.seed);
  std::normal_distribution<double> normal;
  const double cycle = 2 * r.plan.resize_every_s;
  double level = 0;
  for (int i = 1; i <= static_cast<int>(shape.duration_s); ++i) {
    const double in_cycle = std::fmod(i, cycle);
    if (in_cycle < 1) level = shape.rss_resize_bytes * normal(random);
    Sample s;
    s.t = i;
    s.baseline = in_cycle < r.plan.resize_every_s - 3;
    s.rss_anon_bytes = static_cast<uint64_t>(2e8 + level + shape.rss_noise_bytes * normal(random));
    s.heap_in_use_bytes = static_cast<uint64_t>(6e7 + shape.rss_noise_bytes / 8 * normal(random));
    s.pool_in_use_bytes = 20 << 20;
    s.fds = 40 + static_cast<uint32_t>(random() % 3);
    s.threads = 20;
    s.pool_requests = static_cast<uint64_t>(i) * 10'000;
    s.pool_misses = static_cast<uint64_t>(i) * 10;
    s.finished = static_cast<uint64_t>(i) * 50;
    s.sched_count = s.io_count = s.job_count = 50;
    s.sched_p99_s = s.io_p99_s = s.job_p99_s =
        shape.latency_s * (1 + shape.latency_noise * std::fabs(normal(random)));
    r.samples.push_back(s);
  }
  r.jobs.offered = r.jobs.acknowledged = r.jobs.succeeded =
      static_cast<uint64_t>(shape.duration_s) * 50;
  for (const ResizeStep& step : r.plan.resizes) {
    r.resizes.push_back({.at_s = step.at_s,
                         .took_s = 0.02,
                         .what = "workers 2 -> 4",
                         .ok = true,
                         .to_baseline = step.baseline,
                         .error = {}});
  }
  r.sampler_cpu_s = 0.1;
  return r;
}

inline const Check& check_of(const Verdict& verdict, std::string_view name) {
  for (const Check& check : verdict.checks) {
    if (check.name == name) return check;
  }
  throw std::out_of_range("no check " + std::string(name));
}

}  // namespace zokiod::soak::test
