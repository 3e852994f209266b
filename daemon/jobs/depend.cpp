// SPDX-License-Identifier: Apache-2.0
// Jobs that wait before they are queued: for a time, and for the end of other jobs.
//
// A job that others come after is kept until they have looked at how it ended (Entry::pins), so a
// dependency is never gone because of retention. Dependencies are there before the job that names
// them, so there is no cycle.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "jobs/engine_impl.h"
#include "zokio/base/assert.h"

namespace zokiod::jobs {
namespace {

using Impl = Engine::Impl;
using model::OnFailure;

constexpr std::string_view kDependencyFailed = "DEPENDENCY_FAILED";

}  // namespace

std::optional<Report> Impl::check_after(const model::JobSpec& spec) {
  for (size_t i = 0; i < spec.after.size(); ++i) {
    const auto id = JobId::parse(spec.after[i]);
    const Entry* entry = id ? find(*id) : nullptr;
    if (entry != nullptr && entry->committed) continue;
    const std::string field = fmt::format("spec.after[{}]", i);
    const std::string text = fmt::format("there is no job {} (any more)", spec.after[i]);
    Report out = model::make_report(Errc::InvalidArgument, model::reason::kInvalidField,
                                    field + ": " + text);
    out.violations.push_back({field, text});
    return out;
  }
  return std::nullopt;
}

void Impl::join_dependencies(Entry& entry) {
  for (const std::string& text : entry.job.spec.after) {
    Entry* other = find(*JobId::parse(text));
    if (other == nullptr) continue;
    ++other->pins;
    if (!is_terminal(other->job.state)) other->dependents.push_back(entry.job.id);
  }
}

void Impl::leave_dependencies(const Job& job) {
  for (const std::string& text : job.spec.after) {
    Entry* other = find(*JobId::parse(text));
    if (other == nullptr) continue;
    if (other->pins > 0) --other->pins;
    std::erase(other->dependents, job.id);
  }
}

// Called whenever something it waits for may have come. What it does not find now calls it later:
// the end of a dependency, the agenda, the end of a step.
void Impl::consider(Entry& entry) {
  if (entry.job.state != JobState::Waiting || entry.step != Step::None || !entry.committed) return;
  const OnFailure wanted = entry.job.spec.on_failure;
  size_t open = 0;
  std::string failed;
  for (const std::string& text : entry.job.spec.after) {
    const Entry* other = find(*JobId::parse(text));
    if (other != nullptr && !is_terminal(other->job.state))
      ++open;
    else if (wanted != OnFailure::Run &&
             (other == nullptr || other->job.state != JobState::Succeeded))
      failed = other == nullptr ? fmt::format("job {} is gone", text)
                                : fmt::format("job {} {}", text, to_string(other->job.state.get()));
  }
  if (!failed.empty() && wanted == OnFailure::Cancel)
    return begin_end(entry, Trigger::Cancel,
                     {Errc::FailedPrecondition, std::string(kDependencyFailed),
                      failed + ", and this one comes after it"});
  if (open > 0) return;
  if (!failed.empty()) {
    if (entry.job.error.reason != kDependencyFailed)
      begin_hold(entry, {Errc::FailedPrecondition, std::string(kDependencyFailed),
                         failed + "; held until it is requeued or cancelled"});
    return;
  }
  if (entry.job.not_before > WallTime::now()) return arm(entry);
  begin_due(entry);
}

void Impl::begin_hold(Entry& entry, model::JobError why) {
  entry.step = Step::Due;
  Job job = entry.job;
  job.error = std::move(why);
  job.not_before = {};
  store.write(store::Update{job}, [self = shared_from_this(), job](Result<void> done) {
    std::lock_guard lock(self->mutex);
    Entry* e = self->find(job.id);
    if (!done) return self->step_failed(*e);
    self->finish_step(*e, job, std::nullopt);
  });
}

Task<Reported<Job>> Engine::requeue(JobId id) {
  const std::shared_ptr<Impl> impl = impl_;
  while (true) {
    std::optional<zokio::sync::OneshotReceiver<bool>> step_end;
    bool asked = false;
    {
      std::lock_guard lock(impl->mutex);
      Entry* entry = impl->find(id);
      if (entry == nullptr || !entry->committed) co_return model::refuse(not_found(id));
      if (impl->state == EngineState::Stopped) co_return model::refuse(stopping());
      const JobState state = entry->job.state;
      if (entry->step != Step::None) {
        step_end = impl->step_end(*entry);  // then look again
      } else if (state == JobState::Waiting) {
        step_end = impl->step_end(*entry);
        asked = true;
        impl->begin_due(*entry);
      } else if (state == JobState::Succeeded) {
        co_return model::refuse(Errc::FailedPrecondition, model::reason::kJobFinished,
                                "job " + id.to_string() + " succeeded: submit it again instead");
      } else if (!is_terminal(state)) {
        co_return model::refuse(
            Errc::FailedPrecondition, model::reason::kJobNotFinished,
            fmt::format("job {} is {}: it has not ended", id.to_string(), to_string(state)));
      } else {
        if (auto full = impl->no_room(entry->job.spec)) co_return model::refuse(*std::move(full));
        step_end = impl->step_end(*entry);
        asked = true;
        impl->begin_requeue(*entry);
      }
    }
    const Result<bool> told = co_await step_end->recv();
    if (!told && told.error().code == Errc::Cancelled)
      co_return model::refuse(model::make_report(told.error(), "requeue"));
    if (!asked) continue;
    std::lock_guard lock(impl->mutex);
    const Entry* entry = impl->find(id);
    if (entry == nullptr) co_return model::refuse(not_found(id));
    if (entry->job.state == JobState::Waiting || is_terminal(entry->job.state))
      co_return model::refuse(Errc::Unavailable, model::reason::kJournalUnavailable,
                              "the change could not be stored: " + impl->store.stats().error);
    co_return entry->job;
  }
}

// Its attempts go on counting, so results stay fenced; what counts against it begins anew.
void Impl::begin_requeue(Entry& entry) {
  entry.step = Step::Due;
  std::erase(finished, entry.job.id);
  entry.lane = queues.find(entry.job.spec.queue_name());
  ++entry.lane->live;
  ++live;
  Job job = entry.job;
  const auto moved = transition(job.state, Trigger::Requeue);
  ZOKIO_CHECK(moved.has_value(), "a job that did not succeed is queued again");
  job.failures = 0;
  job.crashes = 0;
  job.cancel_requested = false;
  job.queued = WallTime::now();
  job.finished = {};
  job.error = {};
  job.result = {};
  job.spec.deadline = {};  // it has passed, or was meant for the first try
  store.write(store::Update{job}, [self = shared_from_this(), job](Result<void> done) {
    std::lock_guard lock(self->mutex);
    Entry* e = self->find(job.id);
    if (!done) {
      --e->lane->live;
      --self->live;
      e->lane = nullptr;
      e->step = Step::None;
      self->finished.push_back(job.id);
      return self->tell(*e);
    }
    self->finish_step(*e, job, std::nullopt);
    self->start_next();
  });
}

}  // namespace zokiod::jobs
