// SPDX-License-Identifier: Apache-2.0
// What happens at a time: one ordered set, and one task that sleeps until its first entry or until
// a queue's rate allows a start again.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "jobs/engine_impl.h"
#include "zokio/base/assert.h"
#include "zokio/time/sleep.h"

namespace zokiod::jobs {
namespace {

using Impl = Engine::Impl;

// A store that refuses (a full disk) is asked again this often.
constexpr zokio::Duration kStoreRetry = std::chrono::milliseconds(500);
// The wall clock may be set while the task sleeps: it looks again after this much.
constexpr zokio::Duration kSleepMax = std::chrono::seconds(60);
// Jobs that become due under one hold of the lock.
constexpr size_t kDueMax = 256;

std::string deadline_text(const Job& job) {
  return fmt::format("not finished within its deadline of {} ms",
                     job.spec.deadline / std::chrono::milliseconds(1));
}

}  // namespace

void Impl::schedule(Entry& entry, WallTime when) {
  unschedule(entry);
  if (state == EngineState::Stopped) return;
  entry.alarm = when.is_set() ? when : WallTime{1};
  agenda.emplace(entry.alarm, entry.job.id);
  if (agenda.begin()->second == entry.job.id) {
    const zokio::Duration wait(entry.alarm.unix_ns - WallTime::now().unix_ns);
    set_alarm(zokio::Instant::now() + std::clamp(wait, zokio::Duration(0), kSleepMax));
  }
}

void Impl::unschedule(Entry& entry) {
  if (entry.alarm.is_set()) agenda.erase({std::exchange(entry.alarm, {}), entry.job.id});
}

void Impl::set_alarm(zokio::Instant when) {
  if (when >= alarm_at || state == EngineState::Stopped) return;
  if (alarm) alarm.cancel();
  alarm_at = when;
  alarm = runtime.spawn_named("jobs.alarm", &Impl::ring, Background(shared_from_this()), when);
}

Task<void> Impl::ring(Background self, zokio::Instant when) {
  const zokio::Duration wait = when - zokio::Instant::now();
  if (wait.count() > 0) {
    const Result<void> slept = co_await zokio::sleep(wait);
    if (!slept) co_return;  // an earlier alarm took its place, or the engine stops
  }
  std::lock_guard lock(self->mutex);
  if (self->alarm_at != when || self->state == EngineState::Stopped) co_return;
  self->alarm_at = zokio::Instant::never();
  self->run_agenda();
  self->start_next();
}

void Impl::run_agenda() {
  const WallTime now = WallTime::now();
  for (size_t done = 0; done < kDueMax && !agenda.empty(); ++done) {
    if (agenda.begin()->first > now) break;
    Entry* entry = find(agenda.begin()->second);
    ZOKIO_CHECK(entry != nullptr, "the agenda holds jobs");
    unschedule(*entry);
    // A step that is under way arms it again when it ends.
    if (entry->step != Step::None || !is_waiting(entry->job.state)) continue;
    if (entry->job.expired(now)) {
      begin_end(*entry, Trigger::Expire,
                {Errc::DeadlineExceeded, "DEADLINE_EXCEEDED", deadline_text(entry->job)});
    } else if (entry->job.state == JobState::Retrying) {
      begin_due(*entry);
    } else if (entry->job.state == JobState::Waiting) {
      consider(*entry);
    }
  }
  if (agenda.empty()) return;
  const zokio::Duration wait(agenda.begin()->first.unix_ns - WallTime::now().unix_ns);
  set_alarm(zokio::Instant::now() + std::clamp(wait, zokio::Duration(0), kSleepMax));
}

// Queued: its deadline. Retrying, Waiting: when it is due, or its deadline.
void Impl::arm(Entry& entry, WallTime not_before) {
  const Job& job = entry.job;
  WallTime when = is_waiting(job.state) ? job.expires() : WallTime{};
  const bool timed = job.state == JobState::Retrying || job.state == JobState::Waiting;
  if (timed && job.not_before.is_set() && (!when.is_set() || job.not_before < when))
    when = job.not_before;
  if (when.is_set())
    schedule(entry, std::max(when, not_before));
  else if (not_before.is_set() && timed)
    schedule(entry, not_before);
  else
    unschedule(entry);
}

// The backoff is over, or what it waited for has come.
void Impl::begin_due(Entry& entry) {
  entry.step = Step::Due;
  unschedule(entry);
  Job job = entry.job;
  const Trigger trigger = job.state == JobState::Waiting ? Trigger::Ready : Trigger::Due;
  const auto moved = transition(job.state, trigger);
  ZOKIO_CHECK(moved.has_value(), "a waiting job becomes due");
  job.queued = WallTime::now();
  job.not_before = {};
  if (trigger == Trigger::Ready) job.error = {};
  store.write(store::Update{job}, [self = shared_from_this(), job](Result<void> done) {
    std::lock_guard lock(self->mutex);
    Entry* e = self->find(job.id);
    if (!done) return self->step_failed(*e);
    self->finish_step(*e, job, std::nullopt);
    self->start_next();
  });
}

void Impl::step_failed(Entry& entry) {
  entry.step = Step::None;
  if (entry.job.state == JobState::Queued && entry.place.lane == nullptr) enqueue(entry);
  arm(entry, {WallTime::now().unix_ns + kStoreRetry.count()});
  tell(entry);
}

}  // namespace zokiod::jobs
