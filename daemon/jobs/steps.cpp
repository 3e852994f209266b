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
  entry.place = queue.push(entry.job.id, entry.job.spec.priority, entry.job.queued);
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
  tally.moved(job.spec.kind(), before, job.state);
  announce(entry, before, outcome);
  if (job.state == JobState::Queued) enqueue(entry);
  if (job.state == JobState::Retrying) schedule_due(entry);
  tell(entry);
  if (is_terminal(job.state)) retire(job.id);
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
    tally.moved(entry->job.spec.kind(), std::nullopt, JobState::Queued);
    announce(*entry, std::nullopt, std::nullopt);
    tell(*entry);
    return;
  }
  // Nothing of it is in the store. A start that was written behind it is refused there, and finds
  // no entry here.
  tally.rejected(entry->job.spec.kind(), std::string(model::reason::kJournalUnavailable));
  queue.erase(entry->place);
  const std::string key = request_key(entry->job.principal, entry->job.request_id);
  if (!key.empty()) requests.erase(key);
  --live;
  tell(*entry);
  jobs.erase(id);
}

// --- out of the queue ---

void Impl::start_next() {
  while (state == EngineState::Serving && !pump_pending && running < limits.concurrency) {
    const auto id = queue.pop();
    if (!id) return;
    Entry* entry = find(*id);
    ZOKIO_CHECK(entry != nullptr && entry->job.state == JobState::Queued, "the queue holds a job");
    begin_start(*entry);
  }
}

// The start is written right behind the insert when a slot is free, so both share a commit.
void Impl::begin_start(Entry& entry) {
  const JobQueue::Place place = std::exchange(entry.place, {});
  entry.step = Step::Start;
  ++running;
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

void Impl::started(JobId id, Job job, JobQueue::Place place, Result<void> done) {
  std::lock_guard lock(mutex);
  Entry* entry = find(id);
  if (entry == nullptr || !done) {
    --running;
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
  tally.started(entry->job, job);
  finish_step(*entry, job, std::nullopt);
  auto run = std::make_shared<Run>(job, policy, runtime, limits.output_limit_bytes);
  entry->run = run;
  if (state == EngineState::Stopped) run->stop(StopReason::Interrupt);
  runtime.spawn_named("job", &Impl::run_attempt, shared_from_this(), std::move(run)).detach();
}

// The store could not write the start: the job keeps its place, and everything waits a moment.
void Impl::requeue(Entry& entry, JobQueue::Place place) {
  entry.step = Step::None;
  entry.place = place;
  queue.restore(place, entry.job.id, entry.job.queued);
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

// --- retries ---

void Impl::schedule_due(Entry& entry) {
  if (state == EngineState::Stopped) return;
  entry.timer =
      runtime.spawn_named("job.backoff", &Impl::become_due, Background(shared_from_this()),
                          entry.job.id, entry.job.not_before);
}

Task<void> Impl::become_due(Background self, JobId id, WallTime when) {
  while (true) {
    const zokio::Duration wait(when.unix_ns - WallTime::now().unix_ns);
    if (wait.count() > 0) {
      const Result<void> slept = co_await zokio::sleep(wait);
      if (!slept) co_return;  // cancelled, or the engine stops
    }
    std::optional<Job> job;
    {
      std::lock_guard lock(self->mutex);
      Entry* entry = self->find(id);
      if (entry == nullptr || entry->job.state != JobState::Retrying || entry->step != Step::None ||
          self->state == EngineState::Stopped)
        co_return;
      entry->step = Step::Due;
      job = entry->job;
    }
    const auto moved = transition(job->state, Trigger::Due);
    ZOKIO_CHECK(moved.has_value(), "a retrying job becomes due");
    job->queued = WallTime::now();
    job->not_before = {};
    const Result<void> done = co_await self->store.commit(store::Update{*job});
    {
      std::lock_guard lock(self->mutex);
      Entry* entry = self->find(id);
      if (entry == nullptr) co_return;
      if (done) {
        self->finish_step(*entry, *job, std::nullopt);
        self->start_next();
        co_return;
      }
      entry->step = Step::None;
      self->tell(*entry);
      if (done.error().code == Errc::Cancelled || self->state == EngineState::Stopped) co_return;
    }
    when.unix_ns = WallTime::now().unix_ns + kStoreRetry.count();
  }
}

// --- after the end ---

void Impl::retire(JobId id) {
  --live;
  finished.push_back(id);
  if (finished.size() < limits.retain_finished + kForgetBatch) return;
  store::Remove remove;
  while (finished.size() > limits.retain_finished) {
    remove.ids.push_back(finished.front());
    forget(finished.front());
    finished.pop_front();
  }
  // What cannot be removed now is read again at the next start, and removed then.
  store.write(std::move(remove), [](Result<void>) {});
}

void Impl::forget(JobId id) {
  const auto it = jobs.find(id);
  const Job& job = it->second.job;
  tally.moved(job.spec.kind(), job.state, std::nullopt);
  const std::string key = request_key(job.principal, job.request_id);
  if (!key.empty()) requests.erase(key);
  jobs.erase(it);
}

}  // namespace zokiod::jobs
