// SPDX-License-Identifier: Apache-2.0
#include "jobs/tally.h"

#include "zokio/base/assert.h"

namespace zokiod::jobs {

namespace reason = model::reason;

Tally::Tally() {
  for (const kinds::KindInfo* kind : kinds::catalog())
    rows_[std::string(kind->name)].stats.kind = kind->name;
  for (const auto r :
       {reason::kQueueFull, reason::kQueueNotFound, reason::kQueueDraining, reason::kDraining,
        reason::kKindNotAllowed, reason::kPathNotAllowed, reason::kInvalidField,
        reason::kRequestIdReused, reason::kJournalUnavailable, reason::kStopping})
    rejected_[std::string(r)] = 0;
}

Tally::Row& Tally::row(std::string_view kind) {
  const auto it = rows_.find(kind);
  ZOKIO_CHECK(it != rows_.end(), "a job of a kind that is not in the catalog");
  return it->second;
}

void Tally::moved(std::string_view kind, std::optional<model::JobState> from,
                  std::optional<model::JobState> to) {
  auto& states = row(kind).stats.states;
  if (from) --states[static_cast<size_t>(*from)];
  if (to) ++states[static_cast<size_t>(*to)];
}

void Tally::rejected(std::string_view kind, const std::string& why) {
  ++row(kind).stats.rejected;
  // A reason that is not listed comes from a kind: one row for all of them keeps the list closed.
  const auto it = rejected_.find(why);
  ++(it != rejected_.end() ? it->second : rejected_[std::string(reason::kInvalidField)]);
}

uint64_t Tally::started(const model::Job& before, const model::Job& job) {
  Row& r = row(job.spec.kind());
  if (!before.error.reason.empty())
    ++r.stats.attempts_retry;
  else if (before.attempt > 0)
    ++r.stats.attempts_recovery;
  else
    ++r.stats.attempts_first;
  const int64_t wait = job.started.unix_ns - job.queued.unix_ns;
  const uint64_t waited = wait > 0 ? static_cast<uint64_t>(wait) : 0;
  r.queue_wait_ns.record_shared(waited);
  return waited;
}

void Tally::ended(const model::Job& job, model::Outcome outcome, zokio::Duration took) {
  Row& r = row(job.spec.kind());
  ++r.stats.finished[static_cast<size_t>(outcome)];
  if (outcome == model::Outcome::Failed && job.error.code == zokio::Errc::DataLoss)
    ++r.stats.verify_failures;
  r.run_ns.record_shared(static_cast<uint64_t>(took.count()));
}

void Tally::fill(EngineStats& out, const kinds::Policy& policy) const {
  for (const auto& [name, row] : rows_) {
    KindStats& stats = out.kinds.emplace_back(row.stats);
    stats.allowed = kinds::find_kind(name)->allowed(policy);
    stats.queue_wait_ns = row.queue_wait_ns.snapshot();
    stats.run_ns = row.run_ns.snapshot();
  }
  out.rejected = rejected_;
  out.lost = lost;
  out.duplicate_executions = duplicate_executions;
  out.output_dropped_bytes = output_dropped_bytes;
  out.recovery = recovery;
}

}  // namespace zokiod::jobs
