// SPDX-License-Identifier: Apache-2.0
// The report for programs (JSON, CSV) and for a comment (Markdown), and the writing of all files.

#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "soak/report.h"

namespace zokiod::soak {
namespace {

using Json = nlohmann::ordered_json;

Json check_json(const Check& c) {
  Json interval = nullptr;
  if (c.interval) interval = {c.interval->low, c.interval->high};
  return {{"name", c.name},
          {"title", c.title},
          {"state", to_string(c.state)},
          {"value", c.measured ? Json(c.value) : Json(nullptr)},
          {"interval95", interval},
          {"limit", c.limit},
          {"limit_is", c.at_least ? "at least" : "at most"},
          {"unit", c.unit},
          {"why", c.why}};
}

Json jobs_json(const Accounting& a) {
  return {
      {"offered", a.offered},         {"skipped", a.skipped},     {"acknowledged", a.acknowledged},
      {"rejected", a.rejected},       {"succeeded", a.succeeded}, {"failed", a.failed},
      {"duplicates", a.duplicates},   {"lost", a.lost},           {"mismatches", a.mismatches},
      {"outstanding", a.outstanding}, {"errors", a.errors},       {"examples", a.examples}};
}

Json inject_json(const Inject& inject) {
  return {{"leak_bytes_per_second", inject.leak_bytes_per_second}, {"drop_job", inject.drop_job}};
}

Json resizes_json(const std::vector<ResizeDone>& resizes) {
  Json list = Json::array();
  for (const ResizeDone& r : resizes) {
    list.push_back({{"at_s", r.at_s}, {"what", r.what}, {"took_s", r.took_s}, {"ok", r.ok}});
    if (!r.ok) list.back()["error"] = r.error;
  }
  return list;
}

std::string interval_text(const Check& c) {
  if (!c.interval) return "";
  return format_value(c.interval->low, c.unit) + " to " + format_value(c.interval->high, c.unit);
}

// A cell of a Markdown table: a bar in the text would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

bool write_whole(const std::filesystem::path& path, const std::string& text, std::string& error) {
  const std::filesystem::path draft = path.string() + ".tmp";
  {
    std::ofstream out(draft, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) {
      error = "cannot write " + draft.string();
      return false;
    }
  }
  std::error_code failed;
  std::filesystem::rename(draft, path, failed);
  if (failed) error = "cannot rename " + draft.string() + ": " + failed.message();
  return !failed;
}

}  // namespace

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::WarmUp:
      return "warm-up";
    case Phase::Steady:
      return "steady";
    case Phase::Settling:
      return "settling";
    case Phase::Done:
      return "done";
  }
  return "unknown";
}

std::string format_value(double value, std::string_view unit) {
  char text[64];
  if (unit.starts_with("bytes")) {
    static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    while (std::fabs(value) >= 1024 && i + 1 < kUnits.size()) {
      value /= 1024;
      ++i;
    }
    std::snprintf(text, sizeof text, "%.*f %s%s", i == 0 ? 0 : 1, value, kUnits[i],
                  unit == "bytes/s" ? "/s" : "");
    return text;
  }
  if (unit == "s") {
    const double size = std::fabs(value);
    if (size >= 1 || size == 0)
      std::snprintf(text, sizeof text, "%.4g s", value);
    else if (size >= 1e-3)
      std::snprintf(text, sizeof text, "%.3g ms", value * 1e3);
    else
      std::snprintf(text, sizeof text, "%.3g µs", value * 1e6);
    return text;
  }
  if (unit == "ratio") {
    std::snprintf(text, sizeof text, "%.3f %%", value * 100);
    return text;
  }
  std::snprintf(text, sizeof text, "%.4g %.*s", value, static_cast<int>(unit.size()), unit.data());
  return text;
}

std::string value_text(const Check& check) {
  return check.measured ? format_value(check.value, check.unit) : "-";
}

std::string report_json(const Record& record, const Verdict& verdict) {
  Json checks = Json::array();
  for (const Check& c : verdict.checks) checks.push_back(check_json(c));
  const Plan& plan = record.plan;
  const Json document = {{"schema", kReportSchema},
                         {"run_id", record.run_id},
                         {"verdict", verdict_name(verdict.state)},
                         {"final", record.phase == Phase::Done},
                         {"phase", phase_name(record.phase)},
                         {"stopped_early", record.stopped_early},
                         {"stop_reason", record.stop_reason},
                         {"profile", plan.profile},
                         {"seed", plan.seed},
                         {"start_unix_ms", record.start_unix_ms},
                         {"duration_s", plan.duration_s},
                         {"elapsed_s", record.elapsed_s},
                         {"warmup_s", plan.warmup_s},
                         {"steady_from_s", record.steady_from_s},
                         {"histories_full", record.histories_full},
                         {"rate_per_second", plan.rate},
                         {"inject", inject_json(plan.inject)},
                         {"checks", std::move(checks)},
                         {"jobs", jobs_json(record.jobs)},
                         {"resizes", resizes_json(record.resizes)},
                         {"samples", record.samples.size()},
                         {"samples_missed", record.samples_missed},
                         {"environment", record.environment}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string summary_markdown(const Record& record, const Verdict& verdict) {
  const Accounting& jobs = record.jobs;
  std::string out = "## Soak " + record.run_id + ": " + std::string(verdict_name(verdict.state));
  if (record.phase != Phase::Done) out += " so far (" + std::string(phase_name(record.phase)) + ")";
  out += "\n\nProfile " + record.plan.profile + ", seed " + std::to_string(record.plan.seed) +
         ", " + format_value(record.elapsed_s, "s") + " of " +
         format_value(record.plan.duration_s, "s") + ", " + std::to_string(jobs.acknowledged) +
         " jobs acknowledged, " + std::to_string(jobs.succeeded) + " succeeded, " +
         std::to_string(record.resizes.size()) + " resizes.\n";
  if (record.plan.inject.any()) out += "\n**Faults were injected on purpose.**\n";
  if (record.stopped_early) out += "\nStopped early: " + cell(record.stop_reason) + ".\n";
  out += "\n| check | state | value | 95 % interval | limit |\n|---|---|---|---|---|\n";
  for (const Check& c : verdict.checks) {
    out += "| " + cell(c.title) + " | " + std::string(to_string(c.state)) + " | " + value_text(c) +
           " | " + interval_text(c) + " | " + (c.at_least ? "at least " : "at most ") +
           format_value(c.limit, c.unit) + " |\n";
  }
  for (const std::string& example : jobs.examples) out += "\n- " + cell(example);
  if (!jobs.examples.empty()) out += "\n";
  return out;
}

std::string samples_csv(const Record& record) {
  std::string out =
      "t_s,baseline,rss_anon_bytes,heap_in_use_bytes,pool_in_use_bytes,pool_cached_bytes,pool_"
      "requests,pool_misses,"
      "fds,threads,blocking_threads,workers,reactors,queued,running,finished,sched_count,"
      "sched_p99_s,io_count,io_p99_s,job_count,job_p99_s\n";
  char line[512];
  for (const Sample& s : record.samples) {
    const auto u = [](uint64_t v) { return static_cast<unsigned long long>(v); };
    std::snprintf(
        line, sizeof line,
        "%.3f,%d,%llu,%llu,%llu,%llu,%llu,%llu,%u,%u,%u,%u,%u,%llu,%llu,%llu,%llu,%.9f,%llu,"
        "%.9f,%llu,%.9f\n",
        s.t, s.baseline, u(s.rss_anon_bytes), u(s.heap_in_use_bytes), u(s.pool_in_use_bytes),
        u(s.pool_cached_bytes), u(s.pool_requests), u(s.pool_misses), s.fds, s.threads,
        s.blocking_threads, s.workers, s.reactors, u(s.queued), u(s.running), u(s.finished),
        u(s.sched_count), s.sched_p99_s, u(s.io_count), s.io_p99_s, u(s.job_count), s.job_p99_s);
    out += line;
  }
  return out;
}

std::string write_reports(const std::string& directory, const Record& record,
                          const Verdict& verdict) {
  const std::filesystem::path root = directory;
  std::string error;
  write_whole(root / "samples.csv", samples_csv(record), error) &&
      write_whole(root / "summary.md", summary_markdown(record, verdict), error) &&
      write_whole(root / "report.html", report_html(record, verdict), error) &&
      write_whole(root / "report.json", report_json(record, verdict), error);
  return error;
}

}  // namespace zokiod::soak
