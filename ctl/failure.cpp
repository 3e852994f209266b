// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <charconv>

#include "units.h"

namespace zokioctl {
namespace {

struct Hint {
  std::string_view reason;
  std::string_view text;
};
// Those that need no figures.
constexpr Hint kHints[] = {
    {"QUEUE_NOT_FOUND", "zokioctl queue list, or zokioctl queue create NAME"},
    {"QUEUE_EXISTS", "zokioctl queue set NAME changes it"},
    {"QUEUE_NOT_EMPTY", "zokioctl queue drain NAME --wait, or zokioctl queue purge NAME"},
    {"QUEUE_DRAINING", "another --queue, or zokioctl queue resume NAME"},
    {"TOO_MANY_QUEUES", "zokioctl queue delete one that is not needed"},
    {"DRAINING", "submit again when zokiod has been restarted"},
    {"STOPPING", "try again when zokiod has been restarted"},
    {"RUNTIME_CHANGED", "run the command again: it reads the runtime as it is now"},
    {"KIND_NOT_ALLOWED",
     "allow it in zokiod.toml (exec: enabled = true below [policy.exec]), then `zokioctl reload`"},
    {"PATH_NOT_ALLOWED",
     "choose a path below policy.roots, or add its directory there and `zokioctl reload`"},
    {"PEER_NOT_ALLOWED",
     "join the socket's group, or list your uid in policy.allowed_uids and `zokioctl reload`"},
    {"JOB_NOT_FINISHED", "zokioctl job wait ID, or zokioctl job cancel ID first"},
    {"BACKUP_EXISTS", "zokioctl admin backup without a name, or with another"},
    {"JOB_NOT_FOUND", "zokioctl job list"},
    {"REQUEST_ID_REUSED", "use another --request-id for another request"},
    {"REQUEST_TOO_LARGE", "pass data by path, or raise rpc.message_limit in zokiod.toml"},
    {"JOURNAL_UNAVAILABLE", "look at the disk below state_dir and at the log of zokiod"},
    {"REVISION_COMPACTED", "list the jobs again, then watch without --from-revision"},
    {"SUBSCRIBER_LAGGED", "watch again, and read the output faster"},
    {"TOO_MANY_WATCHES", "end a watch that is not needed"},
    {"RESTART_REQUIRED", "undo the change of these keys, or restart zokiod"},
    {"CONFIG_INVALID", "mend the file; what runs has not changed"},
    {"RESIZE_INCOMPLETE", "look at the limit of threads (ulimit -u, TasksMax), then repeat it"},
};

std::string queue_full_hint(const std::map<std::string, std::string>& metadata) {
  const auto queue = metadata.find("queue");
  const auto limit = metadata.find("limit_name");
  if (queue != metadata.end() && limit != metadata.end() && limit->second != "jobs.queue_limit")
    return "wait until jobs have finished, or zokioctl queue set " + queue->second +
           " --size-limit N";
  return "wait until jobs have finished, or raise jobs.queue_limit in zokiod.toml and `zokioctl "
         "reload`";
}

std::string resize_hint(const std::map<std::string, std::string>& metadata) {
  const auto pool = metadata.find("pool");
  const auto in_use = metadata.find("in_use_bytes");
  if (pool == metadata.end() || in_use == metadata.end()) return {};
  uint64_t bytes = 0;
  std::from_chars(in_use->second.data(), in_use->second.data() + in_use->second.size(), bytes);
  constexpr uint64_t kMi = 1u << 20;
  const uint64_t enough = (bytes / kMi + 1) * kMi;
  return "zokioctl resize pool." + pool->second + "=" + format_bytes(enough) +
         ", or --force to converge as blocks are freed";
}

std::string_view code_text(grpc::StatusCode code) {
  static constexpr std::string_view kNames[] = {"OK",
                                                "CANCELLED",
                                                "UNKNOWN",
                                                "INVALID_ARGUMENT",
                                                "DEADLINE_EXCEEDED",
                                                "NOT_FOUND",
                                                "ALREADY_EXISTS",
                                                "PERMISSION_DENIED",
                                                "RESOURCE_EXHAUSTED",
                                                "FAILED_PRECONDITION",
                                                "ABORTED",
                                                "OUT_OF_RANGE",
                                                "UNIMPLEMENTED",
                                                "INTERNAL",
                                                "UNAVAILABLE",
                                                "DATA_LOSS",
                                                "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

void read_details(const std::string& bytes, Failure& out) {
  google::rpc::Status rich;
  if (bytes.empty() || !rich.ParseFromString(bytes)) return;
  for (const auto& detail : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    if (detail.UnpackTo(&info)) {
      out.reason = info.reason();
      out.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (detail.UnpackTo(&bad)) {
      for (const auto& violation : bad.field_violations())
        out.violations.emplace_back(violation.field(), violation.description());
    }
  }
}

}  // namespace

std::string hint_for(std::string_view reason, const std::map<std::string, std::string>& metadata) {
  if (reason == "RESIZE_INFEASIBLE") return resize_hint(metadata);
  if (reason == "WAIT_TIMED_OUT") {
    const auto id = metadata.find("job_id");
    return id == metadata.end() ? "" : "zokioctl job wait " + id->second;
  }
  if (reason == "QUEUE_FULL") return queue_full_hint(metadata);
  for (const Hint& hint : kHints)
    if (hint.reason == reason) return std::string(hint.text);
  return {};
}

Failure failure_of(const grpc::Status& status) {
  Failure out;
  out.exit_code = exit_code_of(status.error_code());
  out.code = code_text(status.error_code());
  out.message = status.error_message();
  read_details(status.error_details(), out);
  if (out.reason.empty() && status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
    // gRPC's own answer to a message beyond what zokiod reads at all.
    out.reason = "REQUEST_TOO_LARGE";
  }
  if (out.reason.empty()) out.reason = out.code;
  out.hint = hint_for(out.reason, out.metadata);
  return out;
}

Failure usage(std::string message, std::string hint) {
  Failure out;
  out.exit_code = kExitUsage;
  out.reason = "USAGE";
  out.message = std::move(message);
  out.hint = std::move(hint);
  return out;
}

std::string Failure::text(bool color) const {
  std::string out = color ? "\033[31merror:\033[0m " : "error: ";
  out += message;
  if (!reason.empty() && reason != "USAGE") out += " (" + reason + ")";
  if (!hint.empty()) out += ". Try: " + hint;
  out += '\n';
  for (const auto& [field, description] : violations)
    if (message.find(description) == std::string::npos)
      out += "  " + field + ": " + description + "\n";
  return out;
}

}  // namespace zokioctl
