// SPDX-License-Identifier: Apache-2.0
#include "jobs/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "jobs/engine_impl.h"
#include "jobs/retry.h"
#include "zokio/base/assert.h"
#include "zokio/time/sleep.h"
#include "zokio/timeout.h"

namespace zokiod::jobs {
namespace {

using Impl = Engine::Impl;

// A result that the store cannot take (a full disk) is offered again this often.
constexpr zokio::Duration kStoreRetry = std::chrono::milliseconds(500);
// The result of a job is a record, not a place for text.
constexpr size_t kMessageBytesMax = 4096;

// The rights again: the policy may have changed since the submit.
Task<Result<void>> execute(std::shared_ptr<Run> run) {
  const kinds::KindInfo* kind = kinds::find_kind(run->job().spec.kind());
  if (auto allowed = kind->authorize(run->job().spec, run->policy()); !allowed) {
    run->result = std::unexpected(std::move(allowed.error()));
    co_return zokio::fail(run->result.error().error);
  }
  run->result = co_await kind->run(*run);
  if (!run->result) co_return zokio::fail(run->result.error().error);
  co_return Result<void>();
}

// Of an attempt: its timeout, or what is left until the deadline of the job. 0: no end.
zokio::Duration time_allowed(const Job& job) {
  const zokio::Duration timeout = job.spec.timeout;
  if (!job.expires().is_set()) return timeout;
  const zokio::Duration left = std::max(
      zokio::Duration(job.expires().unix_ns - WallTime::now().unix_ns), zokio::Duration(1));
  return timeout.count() == 0 ? left : std::min(timeout, left);
}

Task<Result<void>> execute_in_time(std::shared_ptr<Run> run) {
  const zokio::Duration timeout = time_allowed(run->job());
  if (timeout.count() == 0) co_return co_await execute(std::move(run));
  const Result<void> done = co_await zokio::with_timeout(execute(run), timeout);
  // The kind says Cancelled; that the deadline was the reason only this one knows.
  run->timed_out = !done && done.error().code == Errc::DeadlineExceeded && !run->result &&
                   run->result.error().error.code == Errc::Cancelled;
  co_return done;
}

std::string exception_text(const std::exception_ptr& exception) {
  try {
    if (exception) std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
  return "unknown";
}

// How the attempt ended, put into `job`: its error and its result. The state is set by the caller.
Outcome judge(const Run& run, const Result<void>& joined, const std::exception_ptr& exception,
              Job& job) {
  if (!joined && joined.error().detail == zokio::Detail::Panicked) {
    job.error = {Errc::Internal, "EXCEPTION", exception_text(exception)};
    return Outcome::Failed;
  }
  if (run.result) {
    job.result = run.result->result;
    job.error = run.result->error;
    return run.result->ok() ? Outcome::Succeeded : Outcome::Failed;
  }
  const Report& report = run.result.error();
  if (run.timed_out && job.expired(WallTime::now())) {
    job.error = {Errc::DeadlineExceeded, "DEADLINE_EXCEEDED",
                 fmt::format("not finished within its deadline of {} ms",
                             job.spec.deadline / std::chrono::milliseconds(1))};
    return Outcome::TimedOut;
  }
  if (run.timed_out) {
    job.error = {Errc::DeadlineExceeded, "TIMED_OUT",
                 fmt::format("longer than its timeout of {} ms",
                             job.spec.timeout / std::chrono::milliseconds(1))};
    return Outcome::TimedOut;
  }
  if (report.error.code == Errc::Cancelled) {
    // A client's wish holds also when a drain came first.
    if (!job.cancel_requested) return Outcome::Interrupted;
    job.error = {Errc::Cancelled, "CANCELLED", "cancelled while it ran"};
    return Outcome::Cancelled;
  }
  job.error = {report.error.code, report.reason, report.message};
  return Outcome::Failed;
}

Trigger trigger_of(Outcome outcome, Job& job) {
  switch (outcome) {
    case Outcome::Succeeded:
      return Trigger::Succeed;
    case Outcome::Cancelled:
      return Trigger::Cancel;
    case Outcome::Interrupted:
      return Trigger::Interrupt;
    case Outcome::Failed:
    case Outcome::TimedOut:
      break;
  }
  ++job.failures;
  // A job that was asked to stop is not tried again, whatever its attempt made of that.
  const WallTime next{WallTime::now().unix_ns + backoff_of(job).count()};
  if (!job.cancel_requested && may_retry(job.spec.retry, job.failures) && !job.expired(next))
    return Trigger::Retry;
  return outcome == Outcome::TimedOut ? Trigger::TimeOut : Trigger::Fail;
}

// The job after its attempt.
Job concluded(Job job, Outcome outcome) {
  const Trigger trigger = trigger_of(outcome, job);
  const auto moved = transition(job.state, trigger);
  ZOKIO_CHECK(moved.has_value(), "a running job ends");
  const WallTime now = WallTime::now();
  job.crashes = 0;  // it ended with the daemon alive
  if (is_terminal(job.state)) job.finished = now;
  if (job.state == JobState::Retrying) job.not_before = {now.unix_ns + backoff_of(job).count()};
  if (job.state == JobState::Queued) {
    ++job.interruptions;
    job.queued = now;
    job.error = {};
    job.cancel_requested = false;
  }
  if (job.error.message.size() > kMessageBytesMax) job.error.message.resize(kMessageBytesMax);
  return job;
}

}  // namespace

void Run::stop(StopReason why) {
  StopReason none = StopReason::None;
  reason_.compare_exchange_strong(none, why);
  std::lock_guard lock(mutex_);
  if (attached_) handle_.cancel();
}

void Run::attach(zokio::JoinHandle<Result<void>> handle) {
  std::lock_guard lock(mutex_);
  handle_ = std::move(handle);
  attached_ = true;
  if (reason_.load() != StopReason::None) handle_.cancel();
}

// This task is never cancelled: it has to record how the attempt ended. The kind runs in a task of
// its own, which is.
Task<void> Impl::run_attempt(std::shared_ptr<Impl> self, std::shared_ptr<Run> run) {
  const zokio::Instant begun = zokio::Instant::now();
  run->attach(zokio::spawn(&execute_in_time, run));
  const Result<void> joined = co_await run->handle();
  const zokio::Duration took = zokio::Instant::now() - begun;
  run->output.end();

  Job job;
  {
    std::lock_guard lock(self->mutex);
    Entry* entry = self->find(run->job().id);
    ZOKIO_CHECK(entry != nullptr && entry->run == run, "a running job stays in the registry");
    entry->step = Step::Finish;
    job = entry->job;
  }
  const Outcome outcome = judge(*run, joined, run->handle().exception(), job);
  job = concluded(std::move(job), outcome);
  store::FinishAttempt record{job, outcome, run->output.kept(), run->output.dropped()};
  Result<void> recorded;
  while (true) {
    recorded = co_await self->store.commit(record);
    // Fenced and closed are answers; anything else (a full disk) may pass.
    if (recorded || recorded.error().code == Errc::Aborted ||
        recorded.error().code == Errc::AlreadyExists ||
        recorded.error().detail == zokio::Detail::Shutdown)
      break;
    static_cast<void>(co_await zokio::sleep(kStoreRetry));
    std::lock_guard lock(self->mutex);
    if (self->state == EngineState::Stopped) break;  // recovered at the next start
  }
  {
    std::lock_guard lock(self->mutex);
    self->tally.ended(job, outcome, took);
    self->tally.output_dropped_bytes += record.output_dropped_bytes;
  }
  self->settle(job, outcome, recorded);
}

void Impl::settle(const Job& job, Outcome outcome, Result<void> recorded) {
  std::lock_guard lock(mutex);
  Entry* entry = find(job.id);
  entry->run.reset();
  --running;
  --entry->lane->running;
  if (recorded) {
    if (state != EngineState::Serving)
      ++(outcome == Outcome::Interrupted ? drain.interrupted : drain.finished);
    finish_step(*entry, job, outcome);
  } else {
    // The store has another opinion of this job: it keeps it, and the next start goes by it.
    if (recorded.error().code == Errc::AlreadyExists) ++tally.duplicate_executions;
    entry->step = Step::None;
    tell(*entry);
  }
  note_idle();
  start_next();
}

}  // namespace zokiod::jobs
