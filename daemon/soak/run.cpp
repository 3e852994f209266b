// SPDX-License-Identifier: Apache-2.0
// The conductor's side of a soak: clock, samples, verdict, end.

#include "soak/run.h"

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "soak/report.h"

namespace zokiod::soak {
namespace {

// Jobs under way when the load ends have this long to finish before they count as lost.
constexpr double kGraceSeconds = 60;
// Sizes are "settled" this long after they came back to the baseline.
constexpr double kSettledSeconds = 3;

double thread_cpu_seconds() {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) / 1e9;
}

int64_t unix_ms_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The resource behind each slope that is judged.
struct SlopeName {
  const char* check;
  const char* resource;
};
constexpr SlopeName kSlopes[] = {{"rss-slope", "rss"},
                                 {"heap-slope", "heap"},
                                 {"unaccounted-slope", "pool_unaccounted"},
                                 {"fd-slope", "fds"},
                                 {"thread-slope", "threads"}};

}  // namespace

Run::Run(const EngineOptions& options, Plan plan, std::string run_id, std::string directory,
         Totals& totals)
    : options_(options),
      plan_(std::move(plan)),
      run_id_(std::move(run_id)),
      directory_(std::move(directory)),
      totals_(totals) {
  record_.plan = plan_;
  record_.run_id = run_id_;
  record_.environment = options_.environment;
  // All of it now: samples that grow a vector would look like a leak.
  samples_.reserve(static_cast<size_t>(plan_.duration_s / plan_.sample_s) + 16);
}

Run::~Run() {
  join();
}

void Run::start() {
  started_ = zokio::Instant::now();
  start_unix_ms_ = unix_ms_now();
  record_.start_unix_ms = start_unix_ms_;
  before_ = options_.jobs->stats();
  sizes_ = record_.plan.baseline;
  baseline_since_ns_.store(started_.ns);
  load_ = std::thread([this] { load(); });
  resize_ = std::thread([this] { resize(); });
  conductor_ = std::thread([this] { conduct(); });
}

void Run::stop(std::string reason, bool hurry) {
  const std::lock_guard lock(mutex_);
  if (hurry) hurry_.store(true);
  if (ending_.load()) return;
  record_.stopped_early = true;
  record_.stop_reason = std::move(reason);
  ending_.store(true);
  wake_.notify_all();
}

void Run::join() {
  if (conductor_.joinable()) conductor_.join();
}

double Run::elapsed() const {
  return static_cast<double>((zokio::Instant::now() - started_).count()) / 1e9;
}

bool Run::wait_until(double at_s) {
  using std::chrono::steady_clock;
  const double left = at_s - elapsed();
  const auto until = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                               std::chrono::duration<double>(left));
  std::unique_lock lock(mutex_);
  return !wake_.wait_until(lock, until, [this] { return ending_.load(); });
}

void Run::conduct() {
  sample_until_end();
  {
    const std::lock_guard lock(mutex_);
    ending_.store(true);
    record_.elapsed_s = elapsed();
    record_.phase = Phase::Settling;
    wake_.notify_all();
  }
  load_.join();
  resize_.join();
  settle();
  {
    const std::lock_guard lock(mutex_);
    record_.phase = Phase::Done;
  }
  judge_and_write();
  leaked_.clear();
  std::error_code ignored;  // the tree is a few files that were ours
  if (!plan_.checksum_dir.empty()) std::filesystem::remove_all(plan_.checksum_dir, ignored);
  done_.store(true);
}

void Run::sample_until_end() {
  const double judge_every = std::clamp(plan_.duration_s / 10, 5.0, 60.0);
  double judge_at = judge_every;
  double last = 0;
  for (uint64_t k = 1; static_cast<double>(k) * plan_.sample_s <= plan_.duration_s; ++k) {
    const double at = static_cast<double>(k) * plan_.sample_s;
    if (elapsed() > at + plan_.sample_s) {  // this one's whole second has passed
      const std::lock_guard lock(mutex_);
      ++record_.samples_missed;
      continue;
    }
    if (!wait_until(at)) return;
    take_sample();
    leak(samples_.back().t - last);
    last = samples_.back().t;
    if (last >= judge_at) {
      judge_and_write();
      judge_at += judge_every;
    }
  }
}

void Run::take_sample() {
  const int64_t since = baseline_since_ns_.load();
  const double settled =
      since == 0 ? -1 : static_cast<double>(zokio::Instant::now().ns - since) / 1e9;
  Sources now{.runtime = options_.runtime->stats(),
              .process = options_.process(),
              .heap_in_use_bytes = heap_in_use_bytes(),
              .jobs = options_.jobs->stats(),
              .job_latency = ledger_.latency()};
  const Accounting books = ledger_.accounting();
  now.finished = books.succeeded + books.failed;
  const double t = elapsed();
  const bool baseline = settled >= std::min(kSettledSeconds, plan_.resize_every_s / 3);
  samples_.push_back(sampler_.take(t, baseline, now));

  if (now.jobs.state != jobs::EngineState::Serving) stop("the daemon is draining");
  const std::lock_guard lock(mutex_);
  record_.elapsed_s = t;
  record_.engine_lost = now.jobs.lost - before_.lost;
  record_.engine_duplicates = now.jobs.duplicate_executions - before_.duplicate_executions;
  record_.engine_verify_failures = 0;
  for (size_t i = 0; i < now.jobs.kinds.size(); ++i) {
    record_.engine_verify_failures +=
        now.jobs.kinds[i].verify_failures - before_.kinds[i].verify_failures;
  }
  record_.sampler_cpu_s = thread_cpu_seconds();
  if (record_.phase == Phase::WarmUp && t >= plan_.warmup_s) {
    record_.phase = Phase::Steady;
    record_.steady_from_s = t;
    record_.histories_full = histories_full();
  }
}

void Run::leak(double seconds) {
  const auto bytes =
      static_cast<size_t>(static_cast<double>(plan_.inject.leak_bytes_per_second) * seconds);
  if (bytes == 0) return;
  leaked_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
  std::fill_n(leaked_.back().get(), bytes, '\x5a');  // touched, so that it is resident
  totals_.leak_faults.fetch_add(1);
}

void Run::judge_and_write() {
  Record record;
  {
    const std::lock_guard lock(mutex_);
    record = record_;
  }
  record.jobs = ledger_.accounting();
  record.samples = std::move(samples_);
  Verdict verdict = judge(record);
  const std::string error = write_reports(directory_, record, verdict);
  samples_ = std::move(record.samples);

  const std::lock_guard lock(mutex_);
  verdict_ = std::move(verdict);
  judged_ = true;
  if (!error.empty()) record_.environment["report error"] = error;
}

// Lets what is under way end, then closes the books.
void Run::settle() {
  const zokio::Instant deadline =
      zokio::Instant::now() + std::chrono::nanoseconds(static_cast<int64_t>(kGraceSeconds * 1e9));
  const auto pause = [this] {  // jobs end one by one: a look at the books every 10 ms is enough
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(10));
  };
  while ((sends_.load() > 0 || ledger_.outstanding_count() > 0) &&
         zokio::Instant::now() < deadline) {
    if (engine_leaves() || (sends_.load() == 0 && all_unknown())) break;
    pause();
  }
  follow_ends_.store(true);
  while (tasks_.load() > 0 && zokio::Instant::now() < deadline + std::chrono::seconds(10)) pause();
  // Only now: an end that is found here and followed as well would be one too many.
  reconcile();
}

// A daemon that drains keeps what has not ended for its next start: under way is not lost then.
bool Run::engine_leaves() const {
  return hurry_.load() || options_.jobs->drain_status().state != jobs::EngineState::Serving;
}

// What the engine does not know will not end; a few are looked up, many are waited for.
bool Run::all_unknown() const {
  const std::vector<model::JobId> open = ledger_.outstanding();
  return open.size() <= 16 && std::ranges::none_of(open, [this](const model::JobId& id) {
           return options_.jobs->get(id).has_value();
         });
}

void Run::reconcile() {
  for (const model::JobId& id : ledger_.outstanding()) {
    const model::Reported<model::Job> job = options_.jobs->get(id);
    if (!job) {
      ledger_.lost(id, "acknowledged, but the engine does not know it");
    } else if (is_terminal(job->state)) {
      if (ledger_.ended(id, job->state, zokio::Instant::now().ns)) account(*job);
    } else if (!engine_leaves()) {
      ledger_.lost(id, "acknowledged, but still " + std::string(to_string(job->state)));
    }
  }
}

Status Run::status() const {
  Status status;
  status.run_id = run_id_;
  status.running = running();
  status.report_dir = directory_;
  const std::lock_guard lock(mutex_);
  status.record = record_;
  status.record.jobs = ledger_.accounting();
  if (record_.phase != Phase::Done) {
    status.record.elapsed_s = std::min(elapsed(), plan_.duration_s);
  }
  status.verdict = verdict_;
  return status;
}

Figures Run::figures() const {
  Figures figures;
  figures.running = running();
  figures.start_unix_ms = start_unix_ms_;
  const std::lock_guard lock(mutex_);
  for (const Check& check : verdict_.checks) {
    figures.checks.push_back({check.name, judged_, check.state});
    for (const SlopeName& slope : kSlopes) {
      if (check.name == slope.check) figures.slopes.push_back({slope.resource, check.value});
    }
  }
  if (record_.elapsed_s > 0) {
    figures.sampler_overhead_ratio = record_.sampler_cpu_s / record_.elapsed_s;
  }
  return figures;
}

}  // namespace zokiod::soak
