// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "jobs/engine_impl.h"
#include "jobs/runner.h"
#include "jobs/validate.h"
#include "model/limits.h"
#include "zokio/base/assert.h"

namespace zokiod::jobs {
namespace {

using Impl = Engine::Impl;

uint32_t default_concurrency(const zokio::Runtime& runtime) {
  return 4 * std::max(1u, runtime.stats().scheduler.workers_desired);
}

EngineLimits resolved(EngineLimits limits, const zokio::Runtime& runtime) {
  if (limits.concurrency == 0) limits.concurrency = default_concurrency(runtime);
  limits.retain_finished = std::max<uint64_t>(limits.retain_finished, 1);
  return limits;
}

// With the figures of the attempt that runs.
Job view(const Entry& entry) {
  Job job = entry.job;
  if (entry.run)
    job.progress = {entry.run->done.load(std::memory_order_relaxed),
                    entry.run->total.load(std::memory_order_relaxed), entry.run->last_note()};
  return job;
}

bool matches(const Job& job, const ListFilter& filter) {
  if (!filter.states.empty() &&
      std::ranges::find(filter.states, job.state.get()) == filter.states.end())
    return false;
  if (!filter.kind.empty() && job.spec.kind() != filter.kind) return false;
  if (!filter.queue.empty() && job.spec.queue_name() != filter.queue) return false;
  return std::ranges::all_of(filter.labels, [&](const auto& wanted) {
    const auto it = job.spec.labels.find(wanted.first);
    return it != job.spec.labels.end() && it->second == wanted.second;
  });
}

// What can be said without looking at the other jobs.
Reported<const kinds::KindInfo*> admit(const model::JobSpec& spec, const SubmitOptions& options,
                                       const kinds::Policy& policy) {
  const kinds::KindInfo* kind = kinds::find_kind(spec.kind());
  ZOKIO_CHECK(kind != nullptr, "every alternative of Work has its kind");
  if (auto ok = validate(spec, *kind); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = validate_request_id(options.request_id); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = kind->authorize(spec, policy); !ok) return std::unexpected(std::move(ok.error()));
  return kind;
}

}  // namespace

Engine::Impl::Impl(EngineOptions options, JobId last)
    : runtime(*options.runtime),
      store(*options.store),
      feed(std::make_shared<EventFeed>(model::kEventHistoryMax,
                                       static_cast<uint64_t>(WallTime::now().unix_ns / 1000))),
      ids(last),
      limits(resolved(options.limits, runtime)),
      policy(std::move(options.policy)) {}

Engine::Engine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() {
  stop();
}

Reported<std::unique_ptr<Engine>> Engine::start(EngineOptions options) {
  ZOKIO_CHECK(options.runtime && options.store && options.policy, "the engine needs all three");
  auto recovered = options.store->open();
  if (!recovered) return std::unexpected(std::move(recovered.error()));
  const std::vector<model::QueueSpec> configured = std::move(options.queues);
  const JobId last = recovered->jobs.empty() ? JobId{} : recovered->jobs.back().id;
  auto impl = std::make_shared<Impl>(std::move(options), last);
  std::unique_lock lock(impl->mutex);
  RecoveryStats& counts = impl->tally.recovery;
  counts.interrupted = recovered->interrupted;
  std::vector<std::pair<WallTime, JobId>> finished;
  std::vector<JobId> waiting;
  for (model::QueueSpec& queue : recovered->queues) {
    if (Lane* known = impl->queues.find(queue.name))
      known->spec = known->asked = std::move(queue);
    else
      impl->queues.add(std::move(queue));
  }
  for (Job& job : recovered->jobs) {
    ++counts.jobs;
    Entry& entry = impl->jobs[job.id];
    entry.job = std::move(job);
    entry.committed = true;
    const Job& kept = entry.job;
    if (!is_terminal(kept.state)) entry.lane = &impl->lane_of(kept);
    impl->count(entry, std::nullopt, kept.state);
    const std::string key = request_key(kept.principal, kept.request_id);
    if (!key.empty()) impl->requests.emplace(key, kept.id);
    if (is_terminal(kept.state)) {
      finished.emplace_back(kept.finished, kept.id);
      continue;
    }
    ++impl->live;
    ++entry.lane->live;
    if (kept.state == JobState::Queued) {
      ++counts.queued;
      impl->enqueue(entry);
      impl->arm(entry);
    } else if (kept.state == JobState::Retrying) {
      ++counts.retrying;
      impl->arm(entry);
    } else {
      waiting.push_back(kept.id);
    }
  }
  counts.finished = finished.size();
  std::ranges::sort(finished);
  for (const auto& [when, id] : finished) impl->finished.push_back(id);
  // All are there now, whatever their order.
  for (const JobId id : waiting) impl->join_dependencies(*impl->find(id));
  for (const JobId id : waiting) impl->consider(*impl->find(id));
  std::unique_ptr<Engine> engine(new Engine(impl));
  lock.unlock();
  engine->set_configured_queues(configured);
  lock.lock();
  impl->start_next();
  return engine;
}

// Under the lock: the job joins the queue; outside: its insert is awaited.
Task<Reported<Submitted>> Engine::submit(model::JobSpec spec, SubmitOptions options) {
  const std::shared_ptr<Impl> impl = impl_;
  const std::string kind_name(spec.kind());
  const auto refuse = [&](Report report) -> Reported<Submitted> {
    std::lock_guard lock(impl->mutex);
    impl->tally.rejected(kind_name, report.reason);
    return model::refuse(std::move(report));
  };
  if (spec.queue == model::kDefaultQueue) spec.queue.clear();  // so that equal specs are equal
  const auto kind = admit(spec, options, *policy());
  if (!kind) co_return refuse(kind.error());

  JobId id;
  bool duplicate = false;
  std::optional<Report> refused;
  std::optional<zokio::sync::OneshotReceiver<bool>> inserted;
  {
    std::lock_guard lock(impl->mutex);
    const std::string key = request_key(options.principal, options.request_id);
    const auto known = key.empty() ? impl->requests.end() : impl->requests.find(key);
    if (known != impl->requests.end()) {
      Entry& entry = *impl->find(known->second);
      if (entry.job.spec != spec) {
        refused = model::make_report(Errc::AlreadyExists, model::reason::kRequestIdReused,
                                     fmt::format("request_id \"{}\" belongs to job {}, which asks "
                                                 "for something else",
                                                 options.request_id, known->second.to_string()));
      } else {
        duplicate = true;
        id = known->second;
        if (!entry.committed) inserted = impl->step_end(entry);
      }
    } else if (impl->state == EngineState::Stopped) {
      refused = stopping();
    } else if (impl->state != EngineState::Serving) {
      refused = model::make_report(Errc::Unavailable, model::reason::kDraining,
                                   "the daemon drains and takes no more jobs");
    } else if (auto full = impl->no_room(spec)) {
      refused = std::move(full);
    } else if (auto wrong = impl->check_after(spec)) {
      refused = std::move(wrong);
    } else if (options.validate_only) {
      Submitted checked;
      checked.job.spec = std::move(spec);
      checked.job.principal = options.principal;
      co_return checked;
    } else {
      id = impl->ids.next();
      Entry& entry = impl->jobs[id];
      entry.job.id = id;
      entry.job.spec = std::move(spec);
      entry.job.principal = options.principal;
      entry.job.request_id = options.request_id;
      entry.job.created = entry.job.queued = WallTime::now();
      const bool waits = entry.job.spec.delay.count() > 0 || !entry.job.spec.after.empty();
      if (waits) entry.job.state = model::StateCell::waiting();
      if (entry.job.spec.delay.count() > 0)
        entry.job.not_before = {entry.job.created.unix_ns + entry.job.spec.delay.count()};
      entry.step = Step::Insert;
      if (!key.empty()) impl->requests.emplace(key, id);
      entry.lane = impl->queues.find(entry.job.spec.queue_name());
      ++impl->live;
      ++entry.lane->live;
      inserted = impl->step_end(entry);
      impl->store.write(store::Insert{entry.job},
                        [impl, id](Result<void> done) { impl->inserted(id, done); });
      if (waits)
        impl->join_dependencies(entry);
      else
        impl->enqueue(entry);
      impl->start_next();
    }
  }
  if (refused) co_return refuse(*std::move(refused));
  if (inserted) {
    const Result<bool> told = co_await inserted->recv();
    if (!told && told.error().code == Errc::Cancelled)
      co_return model::refuse(model::make_report(told.error(), "submit"));
  }
  std::lock_guard lock(impl->mutex);
  const Entry* entry = impl->find(id);
  if (entry == nullptr || !entry->committed) {
    const store::JournalStats journal = impl->store.stats();
    co_return model::refuse(Errc::Unavailable, model::reason::kJournalUnavailable,
                            "the job could not be stored: " + journal.error);
  }
  if (duplicate) impl->tally.duplicate(kind_name);
  co_return Submitted{view(*entry), duplicate};
}

Reported<Job> Engine::get(JobId id) const {
  std::lock_guard lock(impl_->mutex);
  const Entry* entry = impl_->find(id);
  if (entry == nullptr || !entry->committed) return model::refuse(not_found(id));
  return view(*entry);
}

ListPage Engine::list(const ListFilter& filter, std::optional<JobId> before, size_t size,
                      uint64_t* revision) const {
  ListPage page;
  const size_t most = std::clamp<size_t>(size, 1, model::kListPageMax);
  std::lock_guard lock(impl_->mutex);
  if (revision != nullptr) *revision = impl_->feed->revision();
  auto it = before ? impl_->jobs.lower_bound(*before) : impl_->jobs.end();
  while (it != impl_->jobs.begin()) {
    --it;
    if (!it->second.committed || !matches(it->second.job, filter)) continue;
    if (page.jobs.size() == most) {
      page.next = page.jobs.back().id;
      return page;
    }
    page.jobs.push_back(view(it->second));
  }
  return page;
}

Task<Reported<Job>> Engine::wait(JobId id) {
  const std::shared_ptr<Impl> impl = impl_;
  while (true) {
    std::optional<zokio::sync::OneshotReceiver<bool>> changed;
    {
      std::lock_guard lock(impl->mutex);
      Entry* entry = impl->find(id);
      if (entry == nullptr || !entry->committed) co_return model::refuse(not_found(id));
      if (is_terminal(entry->job.state)) co_return view(*entry);
      if (impl->state == EngineState::Stopped) co_return model::refuse(stopping());
      changed = impl->step_end(*entry);
    }
    const Result<bool> told = co_await changed->recv();
    if (!told && told.error().code == Errc::Cancelled)
      co_return model::refuse(model::make_report(told.error(), "wait"));
  }
}

Task<Reported<Job>> Engine::cancel(JobId id) {
  const std::shared_ptr<Impl> impl = impl_;
  while (true) {
    std::optional<zokio::sync::OneshotReceiver<bool>> step_end;
    std::shared_ptr<Run> run;
    Job job;
    {
      std::lock_guard lock(impl->mutex);
      Entry* entry = impl->find(id);
      if (entry == nullptr || !entry->committed) co_return model::refuse(not_found(id));
      if (is_terminal(entry->job.state)) co_return view(*entry);
      if (impl->state == EngineState::Stopped) co_return model::refuse(stopping());
      if (entry->step != Step::None) {
        step_end = impl->step_end(*entry);  // then look again
      } else if (entry->job.state == JobState::Running) {
        if (entry->job.cancel_requested) co_return view(*entry);
        // It ended and the store refused its result: there is nothing to tell.
        if (!entry->run)
          co_return model::refuse(Errc::Unavailable, model::reason::kJournalUnavailable,
                                  "its attempt ended, and the end could not be stored");
        entry->job.cancel_requested = true;
        run = entry->run;
        job = entry->job;
      } else {
        job = entry->job;
        step_end = impl->step_end(*entry);
        // The end of the step does not hang on this task, which may be cancelled itself.
        impl->begin_end(*entry, Trigger::Cancel,
                        {Errc::Cancelled, "CANCELLED", "cancelled before it ran"});
      }
    }
    if (run) {
      // Recorded first: after a crash the job is cancelled, not run again.
      const Result<void> recorded = co_await impl->store.commit(store::Update{job});
      run->stop(StopReason::Cancel);
      std::lock_guard lock(impl->mutex);
      Entry* entry = impl->find(id);
      if (entry == nullptr) co_return model::refuse(not_found(id));
      if (recorded && entry->job.state == JobState::Running)
        impl->announce(*entry, JobState::Running, std::nullopt);
      co_return view(*entry);
    }
    const Result<bool> told = co_await step_end->recv();
    if (!told && told.error().code == Errc::Cancelled)
      co_return model::refuse(model::make_report(told.error(), "cancel"));
    std::lock_guard lock(impl->mutex);
    if (job.id != JobId{}) {
      const Entry* entry = impl->find(id);
      if (entry != nullptr && !is_terminal(entry->job.state))
        co_return model::refuse(
            Errc::Unavailable, model::reason::kJournalUnavailable,
            "the cancellation could not be stored: " + impl->store.stats().error);
    }
  }
}

Reported<std::unique_ptr<Subscription>> Engine::watch(WatchOptions options) {
  return impl_->feed->subscribe(std::move(options));
}

Task<Reported<LogChunk>> Engine::read_log(JobId id, LogOptions options) {
  const std::shared_ptr<Impl> impl = impl_;
  while (true) {
    std::shared_ptr<Run> run;
    std::optional<zokio::sync::OneshotReceiver<bool>> changed;
    uint32_t attempt = options.attempt;
    {
      std::lock_guard lock(impl->mutex);
      Entry* entry = impl->find(id);
      if (entry == nullptr || !entry->committed) co_return model::refuse(not_found(id));
      const Job& job = entry->job;
      if (attempt == 0) attempt = job.attempt;
      if (attempt > job.attempt)
        co_return model::refuse(
            Errc::OutOfRange, "ATTEMPT_NOT_FOUND",
            fmt::format("job {} has had {} attempts", id.to_string(), job.attempt));
      if (impl->state == EngineState::Stopped) co_return model::refuse(stopping());
      if (attempt == 0) {
        // It has not run. A job that ends without an attempt has no output.
        if (!options.follow || is_terminal(job.state)) {
          LogChunk nothing;
          nothing.end = is_terminal(job.state);
          co_return nothing;
        }
        changed = impl->step_end(*entry);
      } else if (attempt == job.attempt && entry->run) {
        run = entry->run;
      }
    }
    if (run) {
      LogChunk chunk = run->output.read(options.offset, attempt);
      if (!options.follow || !chunk.data.empty() || chunk.end) co_return chunk;
      options.attempt = attempt;
      changed = run->output.changed(options.offset);
    }
    if (!changed) {
      const Result<store::Output> kept = co_await impl->store.output(id, attempt);
      if (!kept) co_return model::refuse(model::make_report(kept.error(), "output"));
      co_return cut_chunk(kept->data, kept->dropped_bytes, options.offset, attempt, true);
    }
    const Result<bool> told = co_await changed->recv();
    if (!told && told.error().code == Errc::Cancelled)
      co_return model::refuse(model::make_report(told.error(), "read_log"));
  }
}

Task<Reported<store::BackupInfo>> Engine::backup(std::string name) {
  const std::shared_ptr<Impl> impl = impl_;
  auto handle = impl->runtime.spawn_blocking(
      [](std::shared_ptr<Impl> self, std::string n) { return self->store.backup(std::move(n)); },
      impl, std::move(name));
  auto done = co_await handle;
  if (!done) co_return model::refuse(model::make_report(done.error(), "backup"));
  co_return *std::move(done);
}

EngineStats Engine::stats() const {
  EngineStats out;
  std::shared_ptr<const kinds::Policy> policy;
  {
    std::lock_guard lock(impl_->mutex);
    policy = impl_->policy;
    impl_->tally.fill(out, *policy);
    out.state = impl_->state;
    out.running = impl_->running;
    out.queued = impl_->queues.queued();
    out.queue_limit = impl_->limits.queue_limit;
    out.concurrency = impl_->limits.concurrency;
    out.oldest_queued = impl_->queues.oldest();
    const zokio::Instant now = zokio::Instant::now();
    for (const auto& [name, lane] : impl_->queues.lanes())
      out.queues.push_back(impl_->queues.stats(*lane, now));
  }
  out.revision = impl_->feed->revision();
  out.subscribers = impl_->feed->subscribers();
  out.subscribers_lagged = impl_->feed->lagged();
  out.journal = impl_->store.stats();
  return out;
}

EngineLimits Engine::limits() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->limits;
}

void Engine::set_limits(const EngineLimits& limits) {
  std::lock_guard lock(impl_->mutex);
  const EngineLimits wanted = resolved(limits, impl_->runtime);
  impl_->limits = wanted;
  impl_->start_next();
}

std::shared_ptr<const kinds::Policy> Engine::policy() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->policy;
}

void Engine::set_policy(std::shared_ptr<const kinds::Policy> policy) {
  std::lock_guard lock(impl_->mutex);
  impl_->policy = std::move(policy);
}

std::string_view to_string(EngineState state) {
  switch (state) {
    case EngineState::Serving:
      return "serving";
    case EngineState::Draining:
      return "draining";
    case EngineState::Drained:
      return "drained";
    case EngineState::Stopped:
      return "stopped";
  }
  return "unknown";
}

}  // namespace zokiod::jobs
