// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert.h"

#include <utility>

namespace zokiod::rpc {
namespace {

using model::JobState;
using model::Outcome;

constexpr std::pair<JobState, v1::JobState> kStates[] = {
    {JobState::Queued, v1::JOB_STATE_QUEUED},      {JobState::Running, v1::JOB_STATE_RUNNING},
    {JobState::Retrying, v1::JOB_STATE_RETRYING},  {JobState::Succeeded, v1::JOB_STATE_SUCCEEDED},
    {JobState::Failed, v1::JOB_STATE_FAILED},      {JobState::Cancelled, v1::JOB_STATE_CANCELLED},
    {JobState::TimedOut, v1::JOB_STATE_TIMED_OUT},
};
constexpr std::pair<Outcome, v1::AttemptOutcome> kOutcomes[] = {
    {Outcome::Succeeded, v1::ATTEMPT_OUTCOME_SUCCEEDED},
    {Outcome::Failed, v1::ATTEMPT_OUTCOME_FAILED},
    {Outcome::Cancelled, v1::ATTEMPT_OUTCOME_CANCELLED},
    {Outcome::TimedOut, v1::ATTEMPT_OUTCOME_TIMED_OUT},
    {Outcome::Interrupted, v1::ATTEMPT_OUTCOME_INTERRUPTED},
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

// One overload for each kind, and back.
model::Work work_of(const v1::ExecSpec& from, Violations& violations) {
  model::ExecSpec out;
  out.argv.assign(from.argv().begin(), from.argv().end());
  out.cwd = from.cwd();
  out.env = {from.env().begin(), from.env().end()};
  if (from.has_grace()) out.grace = from_proto(from.grace(), "spec.exec.grace", violations);
  return out;
}
model::Work work_of(const v1::FileChecksumSpec& from) {
  return model::FileChecksumSpec{from.path(), from.manifest_path()};
}
model::Work work_of(const v1::FileCopySpec& from) {
  return model::FileCopySpec{from.source(), from.destination(), from.overwrite()};
}
model::Work work_of(const v1::SyntheticSpawnSpec& from) {
  return model::SyntheticSpawnSpec{from.seed(), from.tasks(), from.fanout(), from.work()};
}
model::Work work_of(const v1::SyntheticAllocSpec& from) {
  return model::SyntheticAllocSpec{from.seed(), from.operations(), from.tasks(), from.live_blocks(),
                                   from.block_size_max_bytes()};
}
model::Work work_of(const v1::SyntheticFileSpec& from) {
  return model::SyntheticFileSpec{from.seed(), from.size_bytes(), from.block_bytes(), from.fsync()};
}

struct WorkWriter {
  v1::JobSpec& out;
  void operator()(const model::ExecSpec& from) const {
    auto* to = out.mutable_exec();
    to->mutable_argv()->Assign(from.argv.begin(), from.argv.end());
    to->set_cwd(from.cwd);
    for (const auto& [key, value] : from.env) (*to->mutable_env())[key] = value;
    if (from.grace.count() != 0) *to->mutable_grace() = to_proto(from.grace);
  }
  void operator()(const model::FileChecksumSpec& from) const {
    auto* to = out.mutable_file_checksum();
    to->set_path(from.path);
    to->set_manifest_path(from.manifest_path);
  }
  void operator()(const model::FileCopySpec& from) const {
    auto* to = out.mutable_file_copy();
    to->set_source(from.source);
    to->set_destination(from.destination);
    to->set_overwrite(from.overwrite);
  }
  void operator()(const model::SyntheticSpawnSpec& from) const {
    auto* to = out.mutable_synthetic_spawn();
    to->set_seed(from.seed);
    to->set_tasks(from.tasks);
    to->set_fanout(from.fanout);
    to->set_work(from.work);
  }
  void operator()(const model::SyntheticAllocSpec& from) const {
    auto* to = out.mutable_synthetic_alloc();
    to->set_seed(from.seed);
    to->set_operations(from.operations);
    to->set_tasks(from.tasks);
    to->set_live_blocks(from.live_blocks);
    to->set_block_size_max_bytes(from.block_size_max_bytes);
  }
  void operator()(const model::SyntheticFileSpec& from) const {
    auto* to = out.mutable_synthetic_file();
    to->set_seed(from.seed);
    to->set_size_bytes(from.size_bytes);
    to->set_block_bytes(from.block_bytes);
    to->set_fsync(from.fsync);
  }
};

struct ResultWriter {
  v1::JobResult& out;
  void operator()(const std::monostate&) const {}
  void operator()(const model::ExecResult& from) const {
    auto* to = out.mutable_exec();
    to->set_exit_code(from.exit_code);
    to->set_signal(from.signal);
    to->set_output_bytes(from.output_bytes);
  }
  void operator()(const model::FileChecksumResult& from) const {
    auto* to = out.mutable_file_checksum();
    to->set_files(from.files);
    to->set_bytes(from.bytes);
    to->set_skipped(from.skipped);
    to->set_xxh3(from.xxh3);
    to->set_sha256(from.sha256);
    to->set_manifest_path(from.manifest_path);
  }
  void operator()(const model::FileCopyResult& from) const {
    auto* to = out.mutable_file_copy();
    to->set_bytes(from.bytes);
    to->set_xxh3(from.xxh3);
    to->set_sha256(from.sha256);
  }
  void operator()(const model::SyntheticResult& from) const {
    auto* to = out.mutable_synthetic();
    to->set_operations(from.operations);
    to->set_bytes(from.bytes);
    to->set_checksum(from.checksum);
  }
};

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
  switch (spec.work_case()) {
    case v1::JobSpec::kExec:
      return work_of(spec.exec(), violations);
    case v1::JobSpec::kFileChecksum:
      return work_of(spec.file_checksum());
    case v1::JobSpec::kFileCopy:
      return work_of(spec.file_copy());
    case v1::JobSpec::kSyntheticSpawn:
      return work_of(spec.synthetic_spawn());
    case v1::JobSpec::kSyntheticAlloc:
      return work_of(spec.synthetic_alloc());
    case v1::JobSpec::kSyntheticFile:
      return work_of(spec.synthetic_file());
    case v1::JobSpec::WORK_NOT_SET:
      break;
  }
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
  out.labels = {spec.labels().begin(), spec.labels().end()};
  if (!violations.empty()) return model::refuse(invalid(std::move(violations)));
  return out;
}

v1::JobSpec to_proto(const model::JobSpec& spec) {
  v1::JobSpec out;
  out.set_kind(std::string(spec.kind()));
  std::visit(WorkWriter{out}, spec.work);
  out.set_priority(spec.priority);
  set_span(&v1::JobSpec::mutable_timeout, out, spec.timeout);
  out.set_max_attempts(spec.retry.attempts_max);
  set_span(&v1::JobSpec::mutable_backoff_initial, out, spec.retry.backoff_initial);
  set_span(&v1::JobSpec::mutable_backoff_max, out, spec.retry.backoff_max);
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
    std::visit(ResultWriter{*out.mutable_result()}, job.result);
  if (job.progress.done != 0 || job.progress.total != 0) {
    out.mutable_progress()->set_done(job.progress.done);
    out.mutable_progress()->set_total(job.progress.total);
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
