// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert.h"

#include <utility>

#include "rpc/convert_work.h"

namespace zokiod::rpc {
namespace {

using model::JobState;
using model::Outcome;

constexpr std::pair<JobState, v1::JobState> kStates[] = {
    {JobState::Queued, v1::JOB_STATE_QUEUED},      {JobState::Running, v1::JOB_STATE_RUNNING},
    {JobState::Retrying, v1::JOB_STATE_RETRYING},  {JobState::Succeeded, v1::JOB_STATE_SUCCEEDED},
    {JobState::Failed, v1::JOB_STATE_FAILED},      {JobState::Cancelled, v1::JOB_STATE_CANCELLED},
    {JobState::TimedOut, v1::JOB_STATE_TIMED_OUT}, {JobState::Waiting, v1::JOB_STATE_WAITING},
};
constexpr std::pair<Outcome, v1::AttemptOutcome> kOutcomes[] = {
    {Outcome::Succeeded, v1::ATTEMPT_OUTCOME_SUCCEEDED},
    {Outcome::Failed, v1::ATTEMPT_OUTCOME_FAILED},
    {Outcome::Cancelled, v1::ATTEMPT_OUTCOME_CANCELLED},
    {Outcome::TimedOut, v1::ATTEMPT_OUTCOME_TIMED_OUT},
    {Outcome::Interrupted, v1::ATTEMPT_OUTCOME_INTERRUPTED},
};

constexpr std::pair<model::OnFailure, v1::OnDependencyFailure> kOnFailure[] = {
    {model::OnFailure::Cancel, v1::ON_DEPENDENCY_FAILURE_CANCEL},
    {model::OnFailure::Run, v1::ON_DEPENDENCY_FAILURE_RUN},
    {model::OnFailure::Hold, v1::ON_DEPENDENCY_FAILURE_HOLD},
};

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kSpanMaxSeconds = 100ll * 365 * 24 * 3600;

void set_span(google::protobuf::Duration* (v1::JobSpec::*field)(), v1::JobSpec& out,
              zokio::Duration span) {
  if (span.count() != 0) *(out.*field)() = to_proto(span);
}

void set_time_of(google::protobuf::Timestamp* (v1::Job::*field)(), v1::Job& out,
                 model::WallTime time) {
  if (time.is_set()) set_time(*(out.*field)(), time);
}

void read_life(const v1::JobSpec& from, model::JobSpec& out, Violations& violations) {
  if (from.has_delay()) out.delay = from_proto(from.delay(), "spec.delay", violations);
  if (from.has_deadline()) out.deadline = from_proto(from.deadline(), "spec.deadline", violations);
  out.after.assign(from.after().begin(), from.after().end());
  out.retry.crashes_max = from.max_crashes();
  bool known = from.on_dependency_failure() == v1::ON_DEPENDENCY_FAILURE_UNSPECIFIED;
  for (auto [ours, theirs] : kOnFailure) {
    if (theirs != from.on_dependency_failure()) continue;
    out.on_failure = ours;
    known = true;
  }
  if (!known) violations.push_back({"spec.on_dependency_failure", "no such policy"});
}

void write_life(const model::JobSpec& from, v1::JobSpec& out) {
  set_span(&v1::JobSpec::mutable_delay, out, from.delay);
  set_span(&v1::JobSpec::mutable_deadline, out, from.deadline);
  out.mutable_after()->Assign(from.after.begin(), from.after.end());
  out.set_max_crashes(from.retry.crashes_max);
  for (auto [ours, theirs] : kOnFailure)
    if (ours == from.on_failure && !from.after.empty()) out.set_on_dependency_failure(theirs);
}

template <size_t I = 0>
std::optional<model::Work> default_work(std::string_view kind) {
  if constexpr (I < std::variant_size_v<model::Work>) {
    using Spec = std::variant_alternative_t<I, model::Work>;
    if (Spec::kKind == kind) return Spec{};
    return default_work<I + 1>(kind);
  } else {
    return std::nullopt;
  }
}

template <size_t... I>
std::string kind_names(std::index_sequence<I...>) {
  std::string out;
  ((out += (out.empty() ? "" : ", "), out += std::variant_alternative_t<I, model::Work>::kKind),
   ...);
  return out;
}

model::Work read_work(const v1::JobSpec& spec, Violations& violations) {
  if (spec.work_case() != v1::JobSpec::WORK_NOT_SET) return work_from_proto(spec, violations);
  if (auto work = default_work(spec.kind())) return *std::move(work);
  const std::string known =
      kind_names(std::make_index_sequence<std::variant_size_v<model::Work>>());
  violations.push_back({"spec.kind", spec.kind().empty()
                                         ? "missing, and no work is set; kinds: " + known
                                         : "no kind \"" + spec.kind() + "\"; kinds: " + known});
  return {};
}

}  // namespace

model::Report invalid(Violations violations) {
  std::string message = violations.empty() ? std::string("invalid request")
                                           : violations[0].field + ": " + violations[0].description;
  if (violations.size() > 1) message += " (and " + std::to_string(violations.size() - 1) + " more)";
  auto report = model::make_report(zokio::Errc::InvalidArgument, model::reason::kInvalidField,
                                   std::move(message));
  if (!violations.empty()) report.metadata["field"] = violations[0].field;
  report.violations = std::move(violations);
  return report;
}

v1::JobState to_proto(model::JobState state) {
  for (auto [ours, theirs] : kStates)
    if (ours == state) return theirs;
  return v1::JOB_STATE_UNSPECIFIED;
}

std::optional<model::JobState> from_proto(v1::JobState state) {
  for (auto [ours, theirs] : kStates)
    if (theirs == state) return ours;
  return std::nullopt;
}

v1::AttemptOutcome to_proto(model::Outcome outcome) {
  for (auto [ours, theirs] : kOutcomes)
    if (ours == outcome) return theirs;
  return v1::ATTEMPT_OUTCOME_UNSPECIFIED;
}

void set_time(google::protobuf::Timestamp& out, model::WallTime time) {
  out.set_seconds(time.unix_ns / kNsPerSecond);
  out.set_nanos(static_cast<int32_t>(time.unix_ns % kNsPerSecond));
}

google::protobuf::Duration to_proto(zokio::Duration duration) {
  google::protobuf::Duration out;
  out.set_seconds(duration.count() / kNsPerSecond);
  out.set_nanos(static_cast<int32_t>(duration.count() % kNsPerSecond));
  return out;
}

zokio::Duration from_proto(const google::protobuf::Duration& duration, const std::string& field,
                           Violations& violations) {
  if (duration.seconds() < 0 || duration.nanos() < 0) {
    violations.push_back({field, "negative"});
    return {};
  }
  if (duration.nanos() >= kNsPerSecond || duration.seconds() > kSpanMaxSeconds) {
    violations.push_back({field, "not a duration of at most 100 years"});
    return {};
  }
  return zokio::Duration(duration.seconds() * kNsPerSecond + duration.nanos());
}

model::Reported<model::JobSpec> from_proto(const v1::JobSpec& spec) {
  Violations violations;
  model::JobSpec out;
  out.work = read_work(spec, violations);
  if (violations.empty() && !spec.kind().empty() && spec.kind() != out.kind())
    violations.push_back({"spec.kind", "\"" + spec.kind() + "\", but the work is of kind \"" +
                                           std::string(out.kind()) + "\""});
  out.priority = spec.priority();
  if (spec.has_timeout()) out.timeout = from_proto(spec.timeout(), "spec.timeout", violations);
  if (spec.max_attempts() != 0) out.retry.attempts_max = spec.max_attempts();
  if (spec.has_backoff_initial())
    out.retry.backoff_initial =
        from_proto(spec.backoff_initial(), "spec.backoff_initial", violations);
  if (spec.has_backoff_max())
    out.retry.backoff_max = from_proto(spec.backoff_max(), "spec.backoff_max", violations);
  if (spec.queue() != model::kDefaultQueue) out.queue = spec.queue();
  read_life(spec, out, violations);
  out.labels = {spec.labels().begin(), spec.labels().end()};
  if (!violations.empty()) return model::refuse(invalid(std::move(violations)));
  return out;
}

v1::JobSpec to_proto(const model::JobSpec& spec) {
  v1::JobSpec out;
  out.set_kind(std::string(spec.kind()));
  work_to_proto(spec.work, out);
  out.set_queue(std::string(spec.queue_name()));
  out.set_priority(spec.priority);
  set_span(&v1::JobSpec::mutable_timeout, out, spec.timeout);
  out.set_max_attempts(spec.retry.attempts_max);
  set_span(&v1::JobSpec::mutable_backoff_initial, out, spec.retry.backoff_initial);
  set_span(&v1::JobSpec::mutable_backoff_max, out, spec.retry.backoff_max);
  write_life(spec, out);
  for (const auto& [key, value] : spec.labels) (*out.mutable_labels())[key] = value;
  return out;
}

v1::Job to_proto(const model::Job& job) {
  v1::Job out;
  if (!job.id.empty()) out.set_id(job.id.to_string());
  *out.mutable_spec() = to_proto(job.spec);
  out.set_state(to_proto(job.state.get()));
  out.set_attempt(job.attempt);
  out.set_failures(job.failures);
  out.set_interruptions(job.interruptions);
  out.set_crashes(job.crashes);
  out.set_cancel_requested(job.cancel_requested);
  out.set_request_id(job.request_id);
  out.mutable_principal()->set_uid(job.principal.uid);
  out.mutable_principal()->set_gid(job.principal.gid);
  set_time_of(&v1::Job::mutable_create_time, out, job.created);
  set_time_of(&v1::Job::mutable_queue_time, out, job.queued);
  set_time_of(&v1::Job::mutable_start_time, out, job.started);
  set_time_of(&v1::Job::mutable_finish_time, out, job.finished);
  set_time_of(&v1::Job::mutable_not_before, out, job.not_before);
  if (!job.error.reason.empty()) {
    out.mutable_error()->set_code(std::string(zokio::to_string(job.error.code)));
    out.mutable_error()->set_reason(job.error.reason);
    out.mutable_error()->set_message(job.error.message);
  }
  if (!std::holds_alternative<std::monostate>(job.result))
    result_to_proto(job.result, *out.mutable_result());
  if (job.progress != model::Progress{}) {
    out.mutable_progress()->set_done(job.progress.done);
    out.mutable_progress()->set_total(job.progress.total);
    out.mutable_progress()->set_note(job.progress.note);
  }
  out.set_revision(job.revision);
  return out;
}

v1::JobEvent to_proto(const jobs::JobEvent& event) {
  v1::JobEvent out;
  out.set_revision(event.revision);
  set_time(*out.mutable_time(), event.at);
  out.set_job_id(event.id.to_string());
  out.set_kind(std::string(event.kind));
  out.set_state(to_proto(event.state));
  if (event.previous) out.set_previous_state(to_proto(*event.previous));
  out.set_attempt(event.attempt);
  if (event.outcome) out.set_outcome(to_proto(*event.outcome));
  return out;
}

model::Reported<model::JobId> parse_id(const std::string& text, const std::string& field) {
  if (auto id = model::JobId::parse(text)) return *id;
  return model::refuse(invalid(
      {{field, text.empty() ? "missing" : "\"" + text + "\" is no job id (26 characters)"}}));
}

}  // namespace zokiod::rpc
