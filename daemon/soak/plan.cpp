// SPDX-License-Identifier: Apache-2.0

#include "soak/plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <random>

namespace zokiod::soak {
namespace {

using model::JobSpec;
using zokio::Errc;

constexpr double kSmokeSeconds = 600;
constexpr double kSmokeRate = 50;
constexpr double kDurationMin = 30;
constexpr double kDurationMax = 7.0 * 24 * 3600;
constexpr double kRateMax = 10'000;
constexpr uint64_t kLeakMax = 64ull << 20;  // per second: a self-test must not take the node

// Equal specs come again: this many different ones of each kind.
constexpr uint64_t kVariants = 16;
constexpr zokio::Duration kJobTimeout = std::chrono::seconds(120);

// What allocators and page reuse move without anything leaking: a window of minutes cannot tell
// less than 8 MiB from it, one of hours averages it over many resize cycles. A day: 100 KiB an
// hour.
constexpr double kMinutesGrowth = 8.0 * (1 << 20);
constexpr double kHoursGrowth = 2.0 * (1 << 20);
// What malloc has handed out does not depend on how it is laid out: less noise, a tighter limit.
constexpr double kHeapGrowth = 2.0 * (1 << 20);
constexpr double kHours = 3600;
constexpr double kRssFloor = 100.0 * 1024 / 3600;
// A connection or two may come and stay while it runs (a scraper, a watch).
constexpr double kFdGrowth = 8;
constexpr double kThreadGrowth = 4;

// Pool limits that are none at the baseline move in this range: above what the load needs, so that
// no job may fail.
constexpr uint64_t kPoolLimitMin = 128ull << 20;
constexpr uint64_t kPoolLimitMax = 512ull << 20;

// splitmix64: one well-mixed number for each index.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

double seconds(zokio::Duration d) {
  return static_cast<double>(d.count()) / 1e9;
}

// Away from the baseline and back, each for resize_every_s, until shortly before the end.
std::vector<ResizeStep> schedule(const Plan& plan, const Situation& situation) {
  std::mt19937_64 random(mix(plan.seed ^ 0x7265'7369'7a65));
  const auto between = [&random](uint64_t low, uint64_t high) {
    return std::uniform_int_distribution<uint64_t>(low, high)(random);
  };
  // A limit that an operator set is only ever lowered a little.
  const auto limit = [&between](uint64_t baseline) {
    const uint64_t high = baseline == 0 ? kPoolLimitMax : baseline;
    const uint64_t low = baseline == 0 ? kPoolLimitMin : baseline - baseline / 8;
    return between(low, high) & ~0xfffull;
  };
  const uint32_t workers_max = std::clamp(2 * situation.baseline.workers, 4u, 8u);
  std::vector<ResizeStep> steps;
  bool away = true;
  for (double at = plan.resize_every_s; at < plan.duration_s - plan.resize_every_s / 2;
       at += plan.resize_every_s) {
    ResizeStep step{.at_s = at, .sizes = situation.baseline, .baseline = !away};
    if (away) {
      step.sizes.workers = static_cast<uint32_t>(between(1, workers_max));
      step.sizes.reactors = static_cast<uint32_t>(between(1, 4));
      step.sizes.frames_limit = limit(situation.baseline.frames_limit);
      step.sizes.buffers_limit = limit(situation.baseline.buffers_limit);
    }
    steps.push_back(step);
    away = !away;
  }
  return steps;
}

Limits limits_for(double window_s) {
  Limits limits;
  const double growth = window_s <= kHours ? kMinutesGrowth : kHoursGrowth;
  limits.rss_bytes_per_second = std::max(kRssFloor, growth / window_s);
  limits.unaccounted_bytes_per_second = limits.rss_bytes_per_second;
  limits.heap_bytes_per_second = std::max(kRssFloor, kHeapGrowth / window_s);
  limits.fds_per_second = kFdGrowth / window_s;
  limits.threads_per_second = kThreadGrowth / window_s;
  return limits;
}

std::vector<model::FieldViolation> violations_of(const StartRequest& request, Inject& inject) {
  std::vector<model::FieldViolation> found;
  if (!request.profile.empty() && request.profile != "smoke") {
    found.push_back({"profile", "unknown profile \"" + request.profile + "\"; there is: smoke"});
  }
  const double duration = seconds(request.duration);
  if (request.duration.count() != 0 && (duration < kDurationMin || duration > kDurationMax)) {
    found.push_back({"duration", "must be 30 s to 7 days"});
  }
  if (!std::isfinite(request.rate) || request.rate < 0 || request.rate > kRateMax) {
    found.push_back({"rate_per_second", "must be above 0 and at most 10000"});
  }
  for (const std::string& text : request.inject) {
    if (!parse_inject(text, inject)) {
      found.push_back(
          {"inject", "unknown fault \"" + text +
                         "\"; there are: leak=<bytes>[Ki|Mi]/s (at most 64Mi/s), drop-job"});
    }
  }
  return found;
}

JobSpec spec_of(model::Work work) {
  JobSpec spec;
  spec.work = std::move(work);
  spec.timeout = kJobTimeout;
  return spec;
}

}  // namespace

bool parse_inject(std::string_view text, Inject& inject) {
  if (text == "drop-job") {
    inject.drop_job = true;
    return true;
  }
  constexpr std::string_view kPrefix = "leak=";
  constexpr std::string_view kSuffix = "/s";
  if (!text.starts_with(kPrefix) || !text.ends_with(kSuffix)) return false;
  text.remove_prefix(kPrefix.size());
  text.remove_suffix(std::min(kSuffix.size(), text.size()));
  uint64_t unit = 1;
  if (text.ends_with("Ki")) unit = 1024;
  if (text.ends_with("Mi")) unit = 1024 * 1024;
  if (unit != 1) text.remove_suffix(2);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return false;
  if (number == 0 || number > kLeakMax / unit) return false;
  inject.leak_bytes_per_second = number * unit;
  return true;
}

std::vector<std::string> inject_names(const Inject& inject) {
  std::vector<std::string> names;
  const uint64_t leak = inject.leak_bytes_per_second;
  if (leak != 0) {
    names.push_back(
        "leak=" + (leak % 1024 == 0 ? std::to_string(leak / 1024) + "Ki" : std::to_string(leak)) +
        "/s");
  }
  if (inject.drop_job) names.push_back("drop-job");
  return names;
}

model::Reported<Plan> make_plan(const StartRequest& request, const Situation& situation) {
  Plan plan;
  auto violations = violations_of(request, plan.inject);
  if (!violations.empty()) {
    model::Report report = model::make_report(Errc::InvalidArgument, model::reason::kInvalidField,
                                              "the soak cannot be started as asked");
    for (const auto& v : violations) report.message += "; " + v.field + ": " + v.description;
    report.violations = std::move(violations);
    return model::refuse(std::move(report));
  }
  if (plan.inject.any() && !situation.faults_allowed) {
    return model::refuse(Errc::PermissionDenied, "FAULTS_NOT_ALLOWED",
                         "faults are injected only when the configuration has soak.allow_faults");
  }
  plan.profile = "smoke";
  plan.seed = request.seed;
  plan.duration_s = request.duration.count() != 0 ? seconds(request.duration) : kSmokeSeconds;
  plan.rate = request.rate > 0 ? request.rate : kSmokeRate;
  plan.warmup_s = std::min(plan.duration_s / 5, 2.0 * 3600);
  plan.resize_every_s = std::clamp(plan.duration_s / 40, 2.0, 600.0);
  plan.baseline = situation.baseline;
  plan.with_exec = situation.exec_allowed;
  plan.checksum_dir = situation.checksum_dir;
  plan.limits = limits_for(plan.duration_s - plan.warmup_s);
  plan.resizes = schedule(plan, situation);
  return plan;
}

JobSpec job_at(const Plan& plan, uint64_t n) {
  const uint64_t drawn = mix(plan.seed + n);
  const uint64_t seed = mix(plan.seed ^ (drawn % kVariants));
  const uint64_t lot = (drawn >> 32) % 100;
  // Of a hundred jobs 45 spawn, 25 allocate, 20 use a file, 6 checksum a tree, 4 run a command.
  if (lot < 45) return spec_of(model::SyntheticSpawnSpec{.seed = seed, .tasks = 256});
  if (lot < 70) {
    return spec_of(model::SyntheticAllocSpec{
        .seed = seed, .operations = 1000, .block_size_max_bytes = 16 * 1024});
  }
  if (lot < 90 || (lot < 96 && plan.checksum_dir.empty()) || (lot >= 96 && !plan.with_exec)) {
    return spec_of(model::SyntheticFileSpec{
        .seed = seed, .size_bytes = 256 * 1024, .block_bytes = 32 * 1024, .fsync = lot % 10 == 0});
  }
  if (lot < 96)
    return spec_of(model::FileChecksumSpec{.path = plan.checksum_dir, .manifest_path = {}});
  return spec_of(model::ExecSpec{.argv = {"/bin/true"}, .cwd = {}, .env = {}});
}

JobSpec filler_at(const Plan& plan, uint64_t n) {
  JobSpec spec = job_at(plan, n);
  if (auto* spawn = std::get_if<model::SyntheticSpawnSpec>(&spec.work)) spawn->tasks = 8;
  if (auto* alloc = std::get_if<model::SyntheticAllocSpec>(&spec.work)) alloc->operations = 16;
  if (auto* file = std::get_if<model::SyntheticFileSpec>(&spec.work)) {
    file->size_bytes = file->block_bytes = 4096;
    file->fsync = false;
  }
  return spec;
}

}  // namespace zokiod::soak
