// SPDX-License-Identifier: Apache-2.0
// Jobs, the queue and the journal, from one EngineStats.
//
// What is counted by kind is not counted by queue as well: the series would multiply.

#include "metrics/collect.h"
#include "zokio/stats/histogram.h"

namespace zokiod::metrics {
namespace {

using jobs::EngineStats;
using jobs::JournalStats;
using jobs::KindStats;
using jobs::QueueStats;
using model::JobState;
using model::Outcome;

std::string text(std::string_view view) {
  return std::string(view);
}

void collect_levels(Families& out, const EngineStats& stats) {
  out.gauge("zokio_jobs", "Jobs that are not finished, by state.");
  for (const QueueStats& q : stats.queues) {
    for (const JobState state : model::kJobStates) {
      if (!is_terminal(state))
        out.add(q.states[static_cast<size_t>(state)],
                {{"queue", q.spec.name}, {"state", text(to_string(state))}});
    }
  }
  out.gauge("zokio_jobs_retained", "Finished jobs that are kept, by state.");
  for (const JobState state : model::kJobStates) {
    if (!is_terminal(state)) continue;
    uint64_t total = 0;
    for (const KindStats& kind : stats.kinds) total += kind.in_state(state);
    out.add(total, {{"state", text(to_string(state))}});
  }
  out.gauge("zokio_jobs_limit", "Jobs not finished at most; more are rejected.")
      .add(stats.queue_limit);
  out.gauge("zokio_jobs_concurrency_limit", "Jobs running at a time at most.")
      .add(stats.concurrency);
}

void collect_queues(Families& out, const Figures& figures) {
  const auto& queues = figures.jobs.queues;
  const double now = static_cast<double>(figures.unix_ms) / 1e3;
  out.gauge("zokio_queue_oldest_job_timestamp_seconds",
            "When the oldest queued job was queued (unix time); now when none is queued.");
  for (const QueueStats& q : queues) {
    const double oldest = static_cast<double>(q.oldest_queued.unix_ns) / 1e9;
    out.add(q.oldest_queued.is_set() ? oldest : now, {{"queue", q.spec.name}});
  }
  const auto each = [&](auto value) {
    for (const QueueStats& q : queues) out.add(uint64_t{value(q)}, {{"queue", q.spec.name}});
  };
  out.gauge("zokio_queue_limit_jobs", "Jobs not finished at most in a queue; 0: no limit.");
  each([](const QueueStats& q) { return q.spec.size_limit; });
  out.gauge("zokio_queue_concurrency_limit", "Jobs running at a time at most; 0: no limit.");
  each([](const QueueStats& q) { return q.spec.concurrency; });
  out.counter("zokio_queue_starts_total", "Attempts started.");
  each([](const QueueStats& q) { return q.started; });
  out.counter("zokio_queue_refused_total", "Submits refused by the queue: full, or draining.");
  each([](const QueueStats& q) { return q.refused; });
  out.gauge("zokio_queue_held", "1 for what keeps the queue's next job from starting.");
  for (const QueueStats& q : queues)
    for (const std::string_view by : {"paused", "concurrency", "rate"})
      out.add(uint64_t{q.held_by == by}, {{"queue", q.spec.name}, {"by", text(by)}});
  out.histogram("zokio_job_queue_wait_seconds", "From queued to started.", job_buckets());
  for (const QueueStats& q : queues) out.add(q.queue_wait_ns, {{"queue", q.spec.name}});
}

void collect_submits(Families& out, const EngineStats& stats) {
  out.counter("zokio_jobs_submitted_total", "Jobs submitted, by what became of the submit.");
  for (const KindStats& k : stats.kinds) {
    out.add(k.accepted, {{"kind", k.kind}, {"result", "accepted"}})
        .add(k.duplicate, {{"kind", k.kind}, {"result", "duplicate"}})
        .add(k.rejected, {{"kind", k.kind}, {"result", "rejected"}});
  }
  out.counter("zokio_jobs_rejected_total", "Submits refused, by reason.");
  for (const auto& [reason, count] : stats.rejected) {
    out.add(count, {{"reason", reason}});
  }
}

void collect_attempts(Families& out, const EngineStats& stats) {
  out.counter("zokio_jobs_finished_total", "Attempts that ended for good or were interrupted.");
  for (const KindStats& k : stats.kinds) {
    for (const Outcome outcome : model::kOutcomes) {
      out.add(k.with_outcome(outcome), {{"kind", k.kind}, {"outcome", text(to_string(outcome))}});
    }
  }
  out.counter("zokio_job_attempts_total", "Attempts started, by why.");
  for (const KindStats& k : stats.kinds) {
    out.add(k.attempts_first, {{"kind", k.kind}, {"type", "first"}})
        .add(k.attempts_retry, {{"kind", k.kind}, {"type", "retry"}})
        .add(k.attempts_recovery, {{"kind", k.kind}, {"type", "recovery"}});
  }
  out.counter("zokio_job_verify_failures_total", "Jobs that read other data than was written.");
  for (const KindStats& k : stats.kinds) out.add(k.verify_failures, {{"kind", k.kind}});
  out.counter("zokio_jobs_lost_total", "Jobs acknowledged, but gone when looked for.")
      .add(stats.lost);
  out.counter("zokio_jobs_duplicate_executions_total",
              "Results refused because the attempt already had one.")
      .add(stats.duplicate_executions);
  out.counter("zokio_job_output_dropped_bytes_total", "Captured output beyond its limit.")
      .add(stats.output_dropped_bytes);
}

void collect_times(Families& out, const EngineStats& stats) {
  out.histogram("zokio_job_duration_seconds", "From started to ended, of an attempt.",
                job_buckets());
  for (const KindStats& k : stats.kinds) out.add(k.run_ns, {{"kind", k.kind}});
}

void collect_journal(Families& out, const EngineStats& stats) {
  const JournalStats& j = stats.journal;
  out.histogram("zokio_journal_append_seconds", "From a write asked for to its acknowledgement.",
                io_buckets())
      .add(j.append_ns);
  out.histogram("zokio_journal_fsync_seconds", "The commit of a batch of writes.", io_buckets())
      .add(j.fsync_ns);
  out.gauge("zokio_journal_bytes", "Size of the journal's files.").add(j.size_bytes);
  out.gauge("zokio_journal_queue_depth", "Writes that wait for a commit.").add(j.depth);
  out.gauge("zokio_journal_healthy", "1 when the last commit succeeded.").add(uint64_t{j.healthy});
  out.counter("zokio_journal_commits_total", "Commits of the journal.").add(j.commits);
  out.counter("zokio_journal_writes_total", "Writes acknowledged.").add(j.writes);
  out.counter("zokio_journal_failures_total", "Writes refused or rolled back.").add(j.failures);
  out.counter("zokio_journal_fenced_total", "Results refused: not of the current attempt.")
      .add(j.fenced);
  out.counter("zokio_journal_recovered_jobs_total", "Jobs found at the last start, by state.")
      .add(stats.recovery.queued, {{"result", "queued"}})
      .add(stats.recovery.interrupted, {{"result", "interrupted"}})
      .add(stats.recovery.retrying, {{"result", "retrying"}})
      .add(stats.recovery.finished, {{"result", "finished"}});
}

void collect_watches(Families& out, const EngineStats& stats) {
  out.gauge("zokio_watch_streams", "Clients that follow events.")
      .add(stats.subscribers, {{"service", "jobs"}});
  out.counter("zokio_watch_cancelled_total", "Watches the server ended, by reason.")
      .add(stats.subscribers_lagged, {{"reason", "lagged"}});
}

}  // namespace

void collect_jobs(Families& out, const Figures& figures) {
  collect_levels(out, figures.jobs);
  collect_queues(out, figures);
  collect_submits(out, figures.jobs);
  collect_attempts(out, figures.jobs);
  collect_times(out, figures.jobs);
  collect_journal(out, figures.jobs);
  collect_watches(out, figures.jobs);
}

}  // namespace zokiod::metrics
