// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "jobs/engine_impl.h"
#include "jobs/runner.h"
#include "zokio/base/assert.h"
#include "zokio/time/sleep.h"

namespace zokiod::jobs {
namespace {

using Impl = Engine::Impl;

// A store that refuses a start (a full disk) is asked again this often.
constexpr zokio::Duration kStoreRetry = std::chrono::milliseconds(500);

// Finished jobs leave the store in batches: one write for all of them.
constexpr size_t kForgetBatch = 64;

}  // namespace

Entry* Impl::find(JobId id) {
  const auto it = jobs.find(id);
  return it == jobs.end() ? nullptr : &it->second;
}

zokio::sync::OneshotReceiver<bool> Impl::step_end(Entry& entry) {
  auto channel = zokio::sync::oneshot<bool>();
  entry.watchers.push_back(std::move(channel.first));
  return std::move(channel.second);
}

void Impl::tell(Entry& entry) {
  for (auto& watcher : entry.watchers) watcher.send(true);
  entry.watchers.clear();
}

void Impl::enqueue(Entry& entry) {
  entry.place = queues.push(*entry.lane, entry.job.id, entry.job.spec.priority, entry.job.queued);
}

// A job is there now in `to` and no more in `from`; nullopt: new, or gone.
void Impl::count(Entry& entry, std::optional<JobState> from, std::optional<JobState> to) {
  tally.moved(entry.job.spec.kind(), from, to);
  Lane* lane = entry.lane != nullptr ? entry.lane : queues.find(entry.job.spec.queue_name());
  if (lane == nullptr) return;  // its queue was removed, it stayed
  if (from) --lane->states[static_cast<size_t>(*from)];
  if (to) ++lane->states[static_cast<size_t>(*to)];
}

void Impl::announce(Entry& entry, std::optional<JobState> previous,
                    std::optional<Outcome> outcome) {
  JobEvent event;
  event.at = WallTime::now();
  event.id = entry.job.id;
  event.kind = kinds::find_kind(entry.job.spec.kind())->name;
  event.state = entry.job.state;
  event.previous = previous;
  event.attempt = entry.job.attempt;
  event.outcome = outcome;
  entry.job.revision = feed->publish(event);
}

// Puts the durable version in place, and tells everyone.
void Impl::finish_step(Entry& entry, const Job& job, std::optional<Outcome> outcome) {
  const JobState before = entry.job.state;
  entry.job = job;
  entry.step = Step::None;
  count(entry, before, job.state);
  announce(entry, before, outcome);
  if (job.state == JobState::Queued) enqueue(entry);
  arm(entry);
  tell(entry);
  if (before == JobState::Waiting && job.state != JobState::Waiting) leave_dependencies(job);
  if (!is_terminal(job.state)) return;
  const std::vector<JobId> dependents = std::exchange(entry.dependents, {});
  retire(job.id);  // may remove others, and this one when it is the oldest
  for (const JobId id : dependents)
    if (Entry* other = find(id)) consider(*other);
}

// --- into the queue ---

void Impl::inserted(JobId id, Result<void> done) {
  std::lock_guard lock(mutex);
  Entry* entry = find(id);
  ZOKIO_CHECK(entry != nullptr && !entry->committed, "an insert ends once");
  if (done) {
    entry->committed = true;
    if (entry->step == Step::Insert) entry->step = Step::None;
    tally.accepted(entry->job.spec.kind());
    count(*entry, std::nullopt, entry->job.state);
    announce(*entry, std::nullopt, std::nullopt);
    tell(*entry);
    if (entry->step == Step::None) arm(*entry);
    consider(*entry);
    return;
  }
  // Nothing of it is in the store. A start that was written behind it is refused there, and finds
  // no entry here.
  tally.rejected(entry->job.spec.kind(), std::string(model::reason::kJournalUnavailable));
  queues.erase(entry->place);
  if (entry->job.state == JobState::Waiting) leave_dependencies(entry->job);
  const std::string key = request_key(entry->job.principal, entry->job.request_id);
  if (!key.empty()) requests.erase(key);
  --live;
  --entry->lane->live;
  tell(*entry);
  jobs.erase(id);
}

// --- out of the queue ---

void Impl::start_next() {
  while (state == EngineState::Serving && !pump_pending && running < limits.concurrency) {
    zokio::Instant later;
    auto picked = queues.pick(zokio::Instant::now(), later);
    if (!picked) return set_alarm(later);
    Entry* entry = find(picked->id);
    entry->place = picked->place;
    ZOKIO_CHECK(entry != nullptr && entry->job.state == JobState::Queued, "the queue holds a job");
    begin_start(*entry);
  }
}

// The start is written right behind the insert when a slot is free, so both share a commit.
void Impl::begin_start(Entry& entry) {
  const QueueSet::Place place = std::exchange(entry.place, {});
  entry.step = Step::Start;
  ++running;
  ++entry.lane->running;
  Job job = entry.job;
  const auto moved = transition(job.state, Trigger::Start);
  ZOKIO_CHECK(moved.has_value(), "a queued job starts");
  ++job.attempt;
  job.started = WallTime::now();
  job.error = {};
  store.write(store::StartAttempt{job},
              [self = shared_from_this(), job, place](Result<void> done) mutable {
                self->started(job.id, std::move(job), place, done);
              });
}

void Impl::started(JobId id, Job job, QueueSet::Place place, Result<void> done) {
  std::lock_guard lock(mutex);
  Entry* entry = find(id);
  if (entry == nullptr || !done) {
    --running;
    --place.lane->running;
    note_idle();
    if (entry == nullptr) return start_next();  // its insert failed
    if (done.error().code == Errc::Aborted) {
      // The store does not know the job as queued: it was acknowledged and is not there.
      ++tally.lost;
      entry->step = Step::None;
      return tell(*entry);
    }
    return requeue(*entry, place);
  }
  const uint64_t waited = tally.started(entry->job, job);
  ++entry->lane->started;
  entry->lane->queue_wait_ns.record_shared(waited);
  finish_step(*entry, job, std::nullopt);
  auto run = std::make_shared<Run>(job, policy, runtime, limits.output_limit_bytes);
  entry->run = run;
  if (state == EngineState::Stopped) run->stop(StopReason::Interrupt);
  runtime.spawn_named("job", &Impl::run_attempt, shared_from_this(), std::move(run)).detach();
}

// The store could not write the start: the job keeps its place, and everything waits a moment.
void Impl::requeue(Entry& entry, QueueSet::Place place) {
  entry.step = Step::None;
  entry.place = place;
  queues.restore(place, entry.job.id, entry.job.queued);
  tell(entry);
  if (pump_pending || state != EngineState::Serving) return;
  pump_pending = true;
  runtime.spawn_named("jobs.retry_start", &Impl::pump_later, Background(shared_from_this()))
      .detach();
}

Task<void> Impl::pump_later(Background self) {
  // Cancelled only when the runtime ends, and then there is nothing left to start.
  static_cast<void>(co_await zokio::sleep(kStoreRetry));
  std::lock_guard lock(self->mutex);
  self->pump_pending = false;
  self->start_next();
}

// --- after the end ---

void Impl::retire(JobId id) {
  --live;
  Entry& entry = *find(id);
  --entry.lane->live;
  entry.lane = nullptr;
  finished.push_back(id);
  if (finished.size() < limits.retain_finished + kForgetBatch) return;
  store::Remove remove;
  // One that a waiting job still looks at goes to the end: so it stays for another round.
  for (size_t left = finished.size(); left > 0 && finished.size() > limits.retain_finished;
       --left) {
    const JobId oldest = finished.front();
    finished.pop_front();
    if (find(oldest)->pins > 0) {
      finished.push_back(oldest);
      continue;
    }
    remove.ids.push_back(oldest);
    forget(oldest);
  }
  // What cannot be removed now is read again at the next start, and removed then.
  store.write(std::move(remove), [](Result<void>) {});
}

void Impl::forget(JobId id) {
  const auto it = jobs.find(id);
  const Job& job = it->second.job;
  count(it->second, job.state, std::nullopt);
  const std::string key = request_key(job.principal, job.request_id);
  if (!key.empty()) requests.erase(key);
  jobs.erase(it);
}

}  // namespace zokiod::jobs
