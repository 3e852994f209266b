// SPDX-License-Identifier: Apache-2.0
#include "job_view.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <ctime>
#include <ostream>

#include "exit_code.h"
#include "units.h"

namespace zokioctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::TimeUtil;

std::string lower_name(const std::string& name, size_t prefix) {
  std::string out = name.substr(std::min(prefix, name.size()));
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return out;
}

// What tells two jobs of a kind apart: the first of these fields that the kind has.
constexpr const char* kTelling[] = {"source", "path", "url", "listen", "name", "seed"};

std::string scalar_text(const Message& message, const FieldDescriptor& field) {
  const auto& r = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return r.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return r.GetBool(message, &field) ? "true" : "false";
    default:
      return {};
  }
}

std::string what(const v1::JobSpec& spec) {
  if (spec.work_case() == v1::JobSpec::WORK_NOT_SET) return {};
  if (spec.has_exec()) {
    std::string out;
    for (const auto& word : spec.exec().argv()) out += (out.empty() ? "" : " ") + word;
    return out;
  }
  const auto* field = spec.GetReflection()->GetOneofFieldDescriptor(
      spec, v1::JobSpec::descriptor()->FindOneofByName("work"));
  const Message& work = spec.GetReflection()->GetMessage(spec, field);
  for (const std::string name : kTelling) {
    const auto* telling = work.GetDescriptor()->FindFieldByName(name);
    if (telling == nullptr) continue;
    std::string out = (name == "seed" ? "seed " : "") + scalar_text(work, *telling);
    if (const auto* to = work.GetDescriptor()->FindFieldByName("destination"))
      out += " -> " + scalar_text(work, *to);
    return out;
  }
  return {};
}

// "files 3, bytes 120": the fields of a result that are set.
std::string field_texts(const v1::JobResult& result) {
  const auto* oneof = result.GetReflection()->GetOneofFieldDescriptor(
      result, v1::JobResult::descriptor()->FindOneofByName("result"));
  const Message& message = result.GetReflection()->GetMessage(result, oneof);
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  std::string out;
  for (const auto* field : set) {
    if (field->is_repeated() || field->name() == "sha256") continue;
    const std::string text = scalar_text(message, *field);
    out += (out.empty() ? "" : ", ") + field->name() + " " + text;
  }
  return out;
}

std::string text_of(const v1::JobResult& result) {
  switch (result.result_case()) {
    case v1::JobResult::kExec:
      return "exit code " + std::to_string(result.exec().exit_code());
    case v1::JobResult::kFileChecksum:
      return std::to_string(result.file_checksum().files()) + " files, " +
             format_bytes(result.file_checksum().bytes()) + ", xxh3 " +
             result.file_checksum().xxh3();
    case v1::JobResult::kFileCopy:
      return format_bytes(result.file_copy().bytes()) + ", xxh3 " + result.file_copy().xxh3();
    case v1::JobResult::kFileCompress:
      return format_bytes(result.file_compress().bytes_read()) + " -> " +
             format_bytes(result.file_compress().bytes_written());
    case v1::JobResult::kSynthetic:
      return std::to_string(result.synthetic().operations()) + " operations, checksum " +
             result.synthetic().checksum();
    case v1::JobResult::RESULT_NOT_SET:
      return {};
    default:
      return field_texts(result);
  }
}

std::chrono::nanoseconds between(const google::protobuf::Timestamp& from,
                                 const google::protobuf::Timestamp& to) {
  return std::chrono::nanoseconds(TimeUtil::DurationToNanoseconds(to - from));
}

// Cut at the middle of a word rather than let one job fill the screen.
std::string cut(std::string text, size_t most) {
  if (text.size() <= most) return text;
  text.resize(most - 3);
  return text + "...";
}

void line(std::ostream& out, const char* key, const std::string& value) {
  if (value.empty()) return;
  std::string padded = std::string(key) + ":";
  padded.resize(std::max<size_t>(padded.size() + 1, 14), ' ');
  out << padded << value << '\n';
}

}  // namespace

std::string state_name(v1::JobState state) {
  return lower_name(v1::JobState_Name(state), sizeof "JOB_STATE_" - 1);
}

std::optional<v1::JobState> parse_state(const std::string& name) {
  for (int i = 1; i < v1::JobState_ARRAYSIZE; ++i)
    if (v1::JobState_IsValid(i) && state_name(static_cast<v1::JobState>(i)) == name)
      return static_cast<v1::JobState>(i);
  return std::nullopt;
}

std::string outcome_name(v1::AttemptOutcome outcome) {
  return lower_name(v1::AttemptOutcome_Name(outcome), sizeof "ATTEMPT_OUTCOME_" - 1);
}

bool finished(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED || state == v1::JOB_STATE_TIMED_OUT;
}

std::string time_text(const google::protobuf::Timestamp& time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string result_text(const v1::Job& job) {
  const std::string result = text_of(job.result());
  if (job.has_error() && job.error().reason() != "EXIT_CODE")
    return job.error().message() + " (" + job.error().reason() + ")";
  if (!result.empty()) return result;
  if (job.has_error()) return job.error().message();
  if (job.has_progress())
    return std::to_string(job.progress().done()) +
           (job.progress().total() ? "/" + std::to_string(job.progress().total()) : "");
  return {};
}

std::vector<std::string> job_header() {
  return {"ID", "KIND", "STATE", "CREATED", "RUN", "WHAT", "RESULT"};
}

std::vector<std::string> job_row(const v1::Job& job) {
  std::string run;
  if (job.has_start_time() && job.has_finish_time())
    run = format_duration(between(job.start_time(), job.finish_time()));
  return {
      job.id(), job.spec().kind(),         state_name(job.state()), time_text(job.create_time()),
      run,      cut(what(job.spec()), 40), result_text(job)};
}

void print_job(std::ostream& out, const v1::Job& job) {
  line(out, "id", job.id());
  line(out, "kind", job.spec().kind());
  line(out, "what", what(job.spec()));
  if (job.spec().queue() != "default") line(out, "queue", job.spec().queue());
  line(out, "state", state_name(job.state()) + (job.cancel_requested() ? " (cancelling)" : ""));
  line(out, "result", result_text(job));
  std::string attempts = std::to_string(job.attempt());
  if (job.spec().max_attempts() > 1)
    attempts += ", " + std::to_string(job.failures()) + " of " +
                std::to_string(job.spec().max_attempts()) + " failed";
  if (job.interruptions() > 0)
    attempts += ", " + std::to_string(job.interruptions()) + " interrupted";
  if (job.crashes() > 0) attempts += ", " + std::to_string(job.crashes()) + " crashes in a row";
  line(out, "attempts", attempts);
  std::string after;
  for (const auto& id : job.spec().after()) after += (after.empty() ? "" : " ") + id;
  line(out, "after", after);
  if (job.has_create_time()) line(out, "created", time_text(job.create_time()));
  if (job.has_start_time()) line(out, "started", time_text(job.start_time()));
  if (job.has_finish_time()) line(out, "finished", time_text(job.finish_time()));
  if (job.has_not_before()) line(out, "not before", time_text(job.not_before()));
  line(out, "submitted by", "uid " + std::to_string(job.principal().uid()));
  line(out, "request id", job.request_id());
  std::string labels;
  for (const auto& [key, value] : job.spec().labels())
    labels += (labels.empty() ? "" : " ") + key + "=" + value;
  line(out, "labels", labels);
  if (job.result().has_file_checksum()) {
    line(out, "xxh3", job.result().file_checksum().xxh3());
    line(out, "sha256", job.result().file_checksum().sha256());
    line(out, "manifest", job.result().file_checksum().manifest_path());
  }
  if (job.result().has_file_compress()) {
    line(out, "xxh3", job.result().file_compress().xxh3());
    line(out, "sha256", job.result().file_compress().sha256());
  }
  if (job.result().has_file_copy()) {
    line(out, "xxh3", job.result().file_copy().xxh3());
    line(out, "sha256", job.result().file_copy().sha256());
  }
}

int job_exit_code(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_SUCCEEDED ? kExitOk : kExitFailed;
}

}  // namespace zokioctl
