// SPDX-License-Identifier: Apache-2.0
// The load of a soak: what is sent, what came of it, and the resizes beside it.

#include <unistd.h>

#include "model/limits.h"
#include "soak/run.h"
#include "zokio/runtime.h"

namespace zokiod::soak {
namespace {

constexpr int kSendsMax = 1024;       // submits without an answer; more is overload, and counted
constexpr size_t kFillInFlight = 64;  // jobs under way while the histories are filled
constexpr double kTickSeconds = 0.005;
constexpr zokio::Duration kFollowInterval = std::chrono::milliseconds(200);

// Names a spec: jobs with equal keys must give equal checksums. Empty: it has none.
std::string key_of(const model::JobSpec& spec) {
  const std::string kind(spec.kind());
  if (const auto* s = std::get_if<model::SyntheticSpawnSpec>(&spec.work)) {
    return kind + "/" + std::to_string(s->seed) + "/" + std::to_string(s->tasks);
  }
  if (const auto* s = std::get_if<model::SyntheticAllocSpec>(&spec.work)) {
    return kind + "/" + std::to_string(s->seed) + "/" + std::to_string(s->operations);
  }
  if (const auto* s = std::get_if<model::SyntheticFileSpec>(&spec.work)) {
    return kind + "/" + std::to_string(s->seed) + "/" + std::to_string(s->size_bytes);
  }
  return std::holds_alternative<model::FileChecksumSpec>(spec.work) ? kind : "";
}

std::string checksum_of(const model::JobResult& result) {
  if (const auto* r = std::get_if<model::SyntheticResult>(&result)) return r->checksum;
  if (const auto* r = std::get_if<model::FileChecksumResult>(&result)) return r->sha256;
  return "";
}

// Counts a task down when its body ends, however it ends.
class Leaves {
 public:
  explicit Leaves(std::atomic<int>& count) : count_(count) {}
  ~Leaves() { count_.fetch_sub(1); }
  Leaves(const Leaves&) = delete;
  Leaves& operator=(const Leaves&) = delete;

 private:
  std::atomic<int>& count_;
};

}  // namespace

void Run::load() {
  if (!follow_events()) return;
  fill_histories();
  const double begin = elapsed();
  uint64_t n = 0;
  do {
    const double now = elapsed();
    if (now >= plan_.duration_s) return;
    for (const double due = (now - begin) * plan_.rate; static_cast<double>(n) < due; ++n) {
      const double at = begin + static_cast<double>(n) / plan_.rate;
      offer(job_at(plan_, n), started_.ns + static_cast<int64_t>(at * 1e9));
    }
  } while (wait_until(elapsed() + kTickSeconds));
}

// Finished jobs and events are kept up to a bound. Until they are full each job takes memory that
// stays, which is no leak; small jobs fill them before anything is judged.
void Run::fill_histories() {
  uint64_t n = 0;
  while (elapsed() < plan_.warmup_s && !histories_full()) {
    const double until = elapsed() + 0.25;
    while (elapsed() < until) {
      if (ending()) return;
      if (ledger_.outstanding_count() + static_cast<size_t>(sends_.load()) < kFillInFlight) {
        offer(filler_at(plan_, n++), zokio::Instant::now().ns);
      } else {
        wait_until(elapsed() + 0.001);
      }
    }
  }
}

bool Run::histories_full() const {
  const jobs::EngineStats stats = options_.jobs->stats();
  uint64_t retained = 0;
  uint64_t events = 0;  // at least: each submit, start and end published one
  for (const jobs::KindStats& kind : stats.kinds) {
    for (const model::JobState state : model::kJobStates) {
      if (is_terminal(state)) retained += kind.in_state(state);
    }
    events += kind.accepted + kind.attempts_first + kind.attempts_retry + kind.attempts_recovery;
    for (const model::Outcome outcome : model::kOutcomes) events += kind.with_outcome(outcome);
  }
  return retained >= options_.jobs->limits().retain_finished && events >= model::kEventHistoryMax;
}

void Run::offer(model::JobSpec spec, int64_t due_ns) {
  ledger_.offered();
  if (sends_.load() >= kSendsMax) {
    ledger_.skipped();
    return;
  }
  spec.labels["soak"] = run_id_;
  sends_.fetch_add(1);
  tasks_.fetch_add(1);
  options_.runtime
      ->spawn_named("soak.send", &Run::send, shared_from_this(), std::move(spec), due_ns)
      .detach();
}

// One job of the second half is acknowledged and never handed on: what a real loss looks like from
// outside.
bool Run::take_drop() {
  return plan_.inject.drop_job && elapsed() > plan_.duration_s / 2 && !dropped_.exchange(true);
}

zokio::Task<void> Run::send(std::shared_ptr<Run> self, model::JobSpec spec, int64_t due_ns) {
  const Leaves task(self->tasks_);
  const Leaves sending(self->sends_);
  if (self->take_drop()) {
    model::JobIdSource ids;
    self->totals_.dropped_jobs.fetch_add(1);
    self->ledger_.acknowledged(ids.next(), due_ns);
    co_return;
  }
  jobs::SubmitOptions options;
  options.principal = {.uid = getuid(), .gid = getgid()};
  auto submitted = co_await self->options_.jobs->submit(std::move(spec), std::move(options));
  if (submitted) {
    const model::JobId id = submitted->job.id;
    if (self->ledger_.acknowledged(id, due_ns)) self->look_at_result(id);
    co_return;
  }
  const std::string& reason = submitted.error().reason;
  if (reason == model::reason::kDraining || reason == model::reason::kStopping) {
    self->stop("the daemon is draining");
  } else {
    self->ledger_.rejected(reason);
  }
}

bool Run::follow_events() {
  auto events = options_.jobs->watch({});
  if (!events) {
    stop("the events of jobs cannot be followed: " + events.error().message);
    return false;
  }
  tasks_.fetch_add(1);
  options_.runtime->spawn_named("soak.follow", &Run::follow, shared_from_this(), std::move(*events))
      .detach();
  return true;
}

zokio::Task<void> Run::follow(std::shared_ptr<Run> self,
                              std::unique_ptr<jobs::Subscription> events) {
  const Leaves task(self->tasks_);
  while (!self->follow_ends_.load()) {
    auto item = co_await events->next(kFollowInterval);
    if (!item) {
      // Fallen behind: what was missed is looked up when the books are closed.
      if (item.error().reason != model::reason::kSubscriberLagged) break;
      auto fresh = self->options_.jobs->watch({});
      if (!fresh) break;
      events = std::move(*fresh);
      continue;
    }
    const auto* event = std::get_if<jobs::JobEvent>(&*item);
    if (event == nullptr || !is_terminal(event->state) || event->previous == event->state) continue;
    if (self->ledger_.ended(event->id, event->state, zokio::Instant::now().ns)) {
      self->look_at_result(event->id);
    }
  }
}

void Run::look_at_result(const model::JobId& id) {
  const model::Reported<model::Job> job = options_.jobs->get(id);
  if (job) {
    account(*job);
  } else {
    ledger_.failure(id, job.error().reason, "its result is gone: " + job.error().message);
  }
}

void Run::account(const model::Job& job) {
  if (job.state != model::JobState::Succeeded) {
    const std::string reason =
        job.error.reason.empty() ? std::string(to_string(job.state.get())) : job.error.reason;
    ledger_.failure(job.id, reason, job.error.message);
    return;
  }
  const std::string key = key_of(job.spec);
  if (!key.empty()) ledger_.result(job.id, key, checksum_of(job.result));
}

void Run::resize() {
  for (const ResizeStep& step : plan_.resizes) {
    if (!wait_until(step.at_s)) break;
    apply(step.sizes, step.baseline);
  }
  apply(plan_.baseline, true);
}

void Run::apply(const Sizes& sizes, bool baseline) {
  if (sizes == sizes_) return;
  baseline_since_ns_.store(0);
  apply_one("workers", sizes_.workers, sizes.workers, baseline);
  apply_one("reactors", sizes_.reactors, sizes.reactors, baseline);
  apply_one("pool.frames", sizes_.frames_limit, sizes.frames_limit, baseline);
  apply_one("pool.buffers", sizes_.buffers_limit, sizes.buffers_limit, baseline);
  sizes_ = sizes;
  if (baseline) baseline_since_ns_.store(zokio::Instant::now().ns);
}

void Run::apply_one(const char* component, uint64_t from, uint64_t to, bool baseline) {
  if (from == to) return;
  ResizeDone done{
      .at_s = elapsed(),
      .what = std::string(component) + " " + std::to_string(from) + " -> " + std::to_string(to),
      .to_baseline = baseline,
      .error = {}};
  const auto report = options_.resize(component, to);
  done.took_s = elapsed() - done.at_s;
  done.ok = report.has_value();
  if (!report) done.error = report.error().to_string();
  totals_.resizes.fetch_add(1);
  const std::lock_guard lock(mutex_);
  record_.resizes.push_back(std::move(done));
}

}  // namespace zokiod::soak
