// SPDX-License-Identifier: Apache-2.0
// One function for each check; judge() lists them.

#include "soak/verdict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

namespace zokiod::soak {
namespace {

// Settled samples only: sizes are those of the baseline, the warm-up is over.
using Pick = std::function<double(const Sample&)>;

std::vector<Point> steady(const Record& record, bool baseline_only, const Pick& pick) {
  std::vector<Point> points;
  for (const Sample& s : record.samples) {
    if (s.t < record.steady_from_s || record.steady_from_s <= 0) continue;
    if (baseline_only && !s.baseline) continue;
    points.push_back({s.t, pick(s)});
  }
  return points;
}

// What makes neighbouring samples alike: a resize cycle (away and back), and some seconds anyway.
double block_seconds(const Record& record) {
  const double window = record.elapsed_s - record.steady_from_s;
  return std::max(std::min(10.0, window / 10), 2 * record.plan.resize_every_s);
}

std::string text(const char* format, double a, double b = 0) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, a, b);
  return buffer;
}

// A count that must be zero.
Check none_of(std::string name, std::string title, uint64_t count, const char* unit,
              std::string why) {
  return {.name = std::move(name),
          .title = std::move(title),
          .state = count == 0 ? CheckState::Pass : CheckState::Fail,
          .measured = true,
          .value = static_cast<double>(count),
          .interval = {},
          .limit = 0,
          .at_least = false,
          .unit = unit,
          .why = std::move(why)};
}

std::string why_of(CheckState state, const Interval& interval, double limit) {
  if (state == CheckState::Fail) return "The whole interval lies beyond the limit.";
  if (state == CheckState::Pass)
    return "The estimate is within the limit, and the interval is narrow enough to tell.";
  if (interval.width() > limit) {
    return text(
        "The interval is %.1f times as wide as the limit: run longer, or on a quieter machine.",
        interval.width() / limit);
  }
  return "The estimate is beyond the limit, but its interval is not: run longer.";
}

Check check_slope(const Record& record, const char* name, const char* title, const char* unit,
                  double limit, const std::vector<Point>& points) {
  Check check{.name = name,
              .title = title,
              .measured = false,
              .interval = {},
              .limit = limit,
              .unit = unit,
              .why = {}};
  const std::optional<Trend> trend = slope(points, block_seconds(record), record.plan.seed);
  if (!trend) {
    check.why =
        text("%.0f settled samples are too few for a trend.", static_cast<double>(points.size()));
    return check;
  }
  check.measured = true;
  check.value = trend->estimate;
  check.interval = trend->interval;
  check.state = judge_at_most(trend->estimate, trend->interval, limit);
  check.why = why_of(check.state, trend->interval, limit);
  return check;
}

// Histories that the warm-up could not fill go on taking memory, and at most this much: 10,000
// finished jobs and 65,536 events with what hangs on them.
constexpr double kHistoriesBytes = 64.0 * (1 << 20);

void excuse_histories(const Record& record, Check& check) {
  if (check.state != CheckState::Fail || record.histories_full) return;
  const double growth = check.interval->low * (record.elapsed_s - record.steady_from_s);
  if (growth > kHistoriesBytes) return;
  check.state = CheckState::Inconclusive;
  check.why += " But bounded histories of jobs were still filling: the warm-up was too short.";
}

Check check_rss(const Record& record) {
  const auto points =
      steady(record, true, [](const Sample& s) { return static_cast<double>(s.rss_anon_bytes); });
  Check check = check_slope(record, "rss-slope", "Growth of anonymous memory", "bytes/s",
                            record.plan.limits.rss_bytes_per_second, points);
  excuse_histories(record, check);
  return check;
}

Check check_heap(const Record& record) {
  const auto points = steady(
      record, true, [](const Sample& s) { return static_cast<double>(s.heap_in_use_bytes); });
  Check check = check_slope(record, "heap-slope", "Growth of memory handed out by malloc",
                            "bytes/s", record.plan.limits.heap_bytes_per_second, points);
  excuse_histories(record, check);
  return check;
}

Check check_unaccounted(const Record& record) {
  const auto points = steady(record, true, [](const Sample& s) {
    return static_cast<double>(s.rss_anon_bytes) -
           static_cast<double>(s.pool_in_use_bytes + s.pool_cached_bytes);
  });
  Check check = check_slope(record, "unaccounted-slope", "Growth of memory that no pool explains",
                            "bytes/s", record.plan.limits.unaccounted_bytes_per_second, points);
  excuse_histories(record, check);
  return check;
}

Check check_fds(const Record& record) {
  const auto points =
      steady(record, true, [](const Sample& s) { return static_cast<double>(s.fds); });
  return check_slope(record, "fd-slope", "Growth of open descriptors", "fds/s",
                     record.plan.limits.fds_per_second, points);
}

Check check_threads(const Record& record) {
  // Threads for blocking calls come with demand and are counted apart.
  const auto points = steady(record, true, [](const Sample& s) {
    return static_cast<double>(s.threads) - static_cast<double>(s.blocking_threads);
  });
  return check_slope(record, "thread-slope", "Growth of threads", "threads/s",
                     record.plan.limits.threads_per_second, points);
}

Check check_hit_ratio(const Record& record) {
  Check check{.name = "pool-hit-ratio",
              .title = "Allocations served without the operating system",
              .measured = false,
              .interval = {},
              .limit = record.plan.limits.pool_hit_ratio,
              .at_least = true,
              .unit = "ratio",
              .why = "No allocation was seen after the warm-up."};
  const auto requests =
      steady(record, false, [](const Sample& s) { return static_cast<double>(s.pool_requests); });
  const auto misses =
      steady(record, false, [](const Sample& s) { return static_cast<double>(s.pool_misses); });
  if (requests.empty() || requests.back().v <= requests.front().v) return check;
  check.measured = true;
  check.value = 1 - (misses.back().v - misses.front().v) / (requests.back().v - requests.front().v);
  check.state = check.value >= check.limit ? CheckState::Pass : CheckState::Fail;
  check.why = text("%.0f allocations after the warm-up, %.0f of them from the operating system.",
                   requests.back().v - requests.front().v, misses.back().v - misses.front().v);
  return check;
}

Check check_drift(const Record& record, const char* name, const char* title, double floor,
                  const std::function<uint64_t(const Sample&)>& count, const Pick& p99) {
  Check check{.name = name,
              .title = title,
              .measured = false,
              .interval = {},
              .limit = floor,
              .unit = "s",
              .why = {}};
  std::vector<Point> points;
  for (const Sample& s : record.samples) {
    if (record.steady_from_s > 0 && s.t >= record.steady_from_s && s.baseline && count(s) > 0) {
      points.push_back({s.t, p99(s)});
    }
  }
  const std::optional<Trend> change =
      quarter_change(points, block_seconds(record), record.plan.seed);
  if (!change) {
    check.why = text("%.0f settled samples with events are too few to compare quarters.",
                     static_cast<double>(points.size()));
    return check;
  }
  const double first = first_quarter(points);
  check.limit = std::max(floor, record.plan.limits.drift_ratio * first);
  check.measured = true;
  check.value = change->estimate;
  check.interval = change->interval;
  check.state = judge_at_most(change->estimate, change->interval, check.limit);
  check.why =
      text("Median of the p99 of a second: %.2f ms in the first quarter, %.2f ms in the last.",
           first * 1e3, (first + change->estimate) * 1e3);
  return check;
}

Check check_load(const Record& record) {
  const double offered = static_cast<double>(record.jobs.offered);
  Check check{.name = "load-achieved",
              .title = "Offered jobs that were acknowledged",
              .measured = false,
              .interval = {},
              .limit = record.plan.limits.achieved_ratio,
              .at_least = true,
              .unit = "ratio",
              .why = "No job was offered."};
  if (record.jobs.offered == 0) return check;
  check.measured = true;
  check.value = static_cast<double>(record.jobs.acknowledged) / offered;
  // Too little load is no fault of what is tested: the soak did not do what it was to do.
  check.state = check.value >= check.limit ? CheckState::Pass : CheckState::Inconclusive;
  check.why = text("%.0f of %.0f jobs.", static_cast<double>(record.jobs.acknowledged), offered);
  return check;
}

Check check_sampling(const Record& record) {
  Check check{.name = "sampler-gaps",
              .title = "Samples that are missing",
              .measured = false,
              .interval = {},
              .limit = record.plan.limits.missing_ratio,
              .unit = "ratio",
              .why = "No sample was taken."};
  if (record.samples.size() < 2) return check;
  double gap = 0;
  for (size_t i = 1; i < record.samples.size(); ++i) {
    gap = std::max(gap, record.samples[i].t - record.samples[i - 1].t);
  }
  const double taken = static_cast<double>(record.samples.size());
  const double missed = static_cast<double>(record.samples_missed);
  check.measured = true;
  check.value = missed / (missed + taken);
  const bool good = check.value <= check.limit && gap <= record.plan.limits.sample_gap_s;
  check.state = good ? CheckState::Pass : CheckState::Inconclusive;
  check.why = text("%.0f samples, the longest gap is %.2f s.", taken, gap);
  return check;
}

Check check_overhead(const Record& record) {
  Check check{.name = "sampler-overhead",
              .title = "Processor time of the sampler",
              .measured = false,
              .interval = {},
              .limit = record.plan.limits.sampler_overhead,
              .unit = "ratio",
              .why = "It has not run."};
  if (record.elapsed_s <= 0) return check;
  check.measured = true;
  check.value = record.sampler_cpu_s / record.elapsed_s;
  check.state = check.value <= check.limit ? CheckState::Pass : CheckState::Inconclusive;
  check.why = text("%.2f s of processor time in %.0f s.", record.sampler_cpu_s, record.elapsed_s);
  return check;
}

Check check_resizes(const Record& record) {
  uint64_t bad = 0;
  double slowest = 0;
  for (const ResizeDone& r : record.resizes) {
    bad += !r.ok || r.took_s > record.plan.limits.resize_seconds;
    slowest = std::max(slowest, r.took_s);
  }
  Check check = none_of("resizes", "Resizes that failed or were slow", bad, "resizes",
                        text("%.0f resizes, the slowest took %.3f s.",
                             static_cast<double>(record.resizes.size()), slowest));
  if (record.resizes.empty() && bad == 0) {
    check.state = CheckState::Inconclusive;
    check.why = "Nothing was resized.";
  }
  return check;
}

Check check_length(const Record& record) {
  Check check{.name = "duration",
              .title = "Time that was soaked",
              .measured = false,
              .interval = {},
              .limit = record.plan.duration_s,
              .at_least = true,
              .unit = "s",
              .why = "It runs."};
  check.measured = true;
  check.value = record.elapsed_s;
  if (record.phase == Phase::Done && !record.stopped_early) {
    check.state = CheckState::Pass;
    check.why = "It ran to its end.";
  } else if (record.stopped_early) {
    check.why = "It was stopped: " + record.stop_reason + ".";
  }
  return check;
}

std::vector<Check> check_accounting(const Record& record) {
  const Accounting& jobs = record.jobs;
  const bool over = record.phase == Phase::Done;
  std::vector<Check> checks;
  checks.push_back(none_of(
      "jobs-lost", "Jobs acknowledged that never ended", jobs.lost + record.engine_lost, "jobs",
      text("%.0f acknowledged, %.0f ended.", static_cast<double>(jobs.acknowledged),
           static_cast<double>(jobs.succeeded + jobs.failed))));
  // Until the end it is not known whether those under way end.
  if (!over && checks.back().state == CheckState::Pass)
    checks.back().state = CheckState::Inconclusive;
  checks.push_back(none_of("jobs-duplicate", "Jobs that ended more than once",
                           jobs.duplicates + record.engine_duplicates, "jobs",
                           "Every end of a job was matched with its submit."));
  checks.push_back(none_of(
      "jobs-unexpected", "Jobs that failed or were refused", jobs.failed + jobs.rejected, "jobs",
      text("%.0f failed, %.0f refused; none was meant to.", static_cast<double>(jobs.failed),
           static_cast<double>(jobs.rejected))));
  checks.push_back(
      none_of("verify-mismatches", "Results that did not verify",
              jobs.mismatches + record.engine_verify_failures, "jobs",
              "Equal jobs gave equal checksums, and every block read back as written."));
  return checks;
}

std::vector<Check> check_latencies(const Record& record) {
  const Limits& limits = record.plan.limits;
  std::vector<Check> checks;
  checks.push_back(check_drift(
      record, "sched-drift", "Scheduling delay p99, last quarter against first",
      limits.sched_floor_s, [](const Sample& s) { return s.sched_count; },
      [](const Sample& s) { return s.sched_p99_s; }));
  checks.push_back(check_drift(
      record, "io-drift", "I/O latency p99, last quarter against first", limits.io_floor_s,
      [](const Sample& s) { return s.io_count; }, [](const Sample& s) { return s.io_p99_s; }));
  checks.push_back(check_drift(
      record, "job-drift", "Job latency p99, last quarter against first", limits.job_floor_s,
      [](const Sample& s) { return s.job_count; }, [](const Sample& s) { return s.job_p99_s; }));
  return checks;
}

}  // namespace

std::string_view to_string(CheckState state) {
  switch (state) {
    case CheckState::Pass:
      return "pass";
    case CheckState::Fail:
      return "fail";
    case CheckState::Inconclusive:
      return "inconclusive";
  }
  return "unknown";
}

std::string_view verdict_name(CheckState state) {
  switch (state) {
    case CheckState::Pass:
      return "PASS";
    case CheckState::Fail:
      return "FAIL";
    case CheckState::Inconclusive:
      return "INCONCLUSIVE";
  }
  return "UNKNOWN";
}

CheckState judge_at_most(double estimate, const Interval& interval, double limit) {
  if (interval.low > limit) return CheckState::Fail;
  if (interval.width() > limit || estimate > limit) return CheckState::Inconclusive;
  return CheckState::Pass;
}

CheckState combine(const std::vector<Check>& checks) {
  CheckState state = CheckState::Pass;
  for (const Check& check : checks) {
    if (check.state == CheckState::Fail) return CheckState::Fail;
    if (check.state == CheckState::Inconclusive) state = CheckState::Inconclusive;
  }
  return checks.empty() ? CheckState::Inconclusive : state;
}

Verdict judge(const Record& record) {
  Verdict verdict;
  verdict.checks = check_accounting(record);
  verdict.checks.push_back(check_rss(record));
  verdict.checks.push_back(check_heap(record));
  verdict.checks.push_back(check_unaccounted(record));
  verdict.checks.push_back(check_fds(record));
  verdict.checks.push_back(check_threads(record));
  verdict.checks.push_back(check_hit_ratio(record));
  for (Check& check : check_latencies(record)) verdict.checks.push_back(std::move(check));
  verdict.checks.push_back(check_resizes(record));
  verdict.checks.push_back(check_load(record));
  verdict.checks.push_back(check_sampling(record));
  verdict.checks.push_back(check_overhead(record));
  verdict.checks.push_back(check_length(record));
  verdict.state = combine(verdict.checks);
  return verdict;
}

const std::vector<std::string>& check_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Check& check : judge(Record{}).checks) list.push_back(check.name);
    return list;
  }();
  return names;
}

}  // namespace zokiod::soak
