// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <array>
#include <optional>
#include <utility>

namespace zokiod::rpc {
namespace {

using zokio::Errc;

struct Row {
  Errc errc;
  grpc::StatusCode code;
};
constexpr std::array kTable = {
    Row{Errc::Cancelled, grpc::StatusCode::CANCELLED},
    Row{Errc::Unknown, grpc::StatusCode::UNKNOWN},
    Row{Errc::InvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
    Row{Errc::DeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
    Row{Errc::NotFound, grpc::StatusCode::NOT_FOUND},
    Row{Errc::AlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
    Row{Errc::PermissionDenied, grpc::StatusCode::PERMISSION_DENIED},
    Row{Errc::ResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
    Row{Errc::FailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
    Row{Errc::Aborted, grpc::StatusCode::ABORTED},
    Row{Errc::OutOfRange, grpc::StatusCode::OUT_OF_RANGE},
    Row{Errc::Unimplemented, grpc::StatusCode::UNIMPLEMENTED},
    Row{Errc::Internal, grpc::StatusCode::INTERNAL},
    Row{Errc::Unavailable, grpc::StatusCode::UNAVAILABLE},
    Row{Errc::DataLoss, grpc::StatusCode::DATA_LOSS},
};

// When a client may try again. By feel: a queue drains in about a second, a restart takes a few.
std::optional<int> retry_seconds(std::string_view reason) {
  using namespace model::reason;
  if (reason == kQueueFull || reason == kTooManyWatches || reason == kJournalUnavailable) return 1;
  if (reason == kDraining || reason == kStopping) return 5;
  return std::nullopt;
}

std::string_view quota_subject(std::string_view reason) {
  if (reason == model::reason::kQueueFull) return "queue";
  if (reason == model::reason::kTooManyWatches) return "watches";
  if (reason == reason::kRequestTooLarge) return "request";
  return {};
}

void add_failures(google::rpc::Status& out, const model::Report& report) {
  if (report.error.code == Errc::InvalidArgument && !report.violations.empty()) {
    google::rpc::BadRequest bad;
    for (const auto& violation : report.violations) {
      auto* one = bad.add_field_violations();
      one->set_field(violation.field);
      one->set_description(violation.description);
    }
    out.add_details()->PackFrom(bad);
  }
  if (report.error.code == Errc::FailedPrecondition) {
    google::rpc::PreconditionFailure failure;
    for (const auto& violation : report.violations) {
      auto* one = failure.add_violations();
      one->set_type(report.reason);
      one->set_subject(violation.field);
      one->set_description(violation.description);
    }
    if (report.violations.empty()) {
      auto* one = failure.add_violations();
      one->set_type(report.reason);
      one->set_description(report.message);
    }
    out.add_details()->PackFrom(failure);
  }
  if (auto subject = quota_subject(report.reason); !subject.empty()) {
    google::rpc::QuotaFailure quota;
    auto* one = quota.add_violations();
    one->set_subject(std::string(subject));
    one->set_description(report.message);
    out.add_details()->PackFrom(quota);
  }
}

}  // namespace

grpc::StatusCode to_grpc(Errc code) {
  for (const Row& row : kTable)
    if (row.errc == code) return row.code;
  return grpc::StatusCode::UNKNOWN;
}

Errc from_grpc(grpc::StatusCode code) {
  for (const Row& row : kTable)
    if (row.code == code) return row.errc;
  return Errc::Unknown;
}

grpc::Status to_status(const model::Report& report) {
  const grpc::StatusCode code = to_grpc(report.error.code);
  google::rpc::Status rich;
  rich.set_code(code);
  rich.set_message(report.message);
  google::rpc::ErrorInfo info;
  info.set_reason(report.reason.empty() ? std::string(zokio::to_string(report.error.code))
                                        : report.reason);
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : report.metadata) (*info.mutable_metadata())[key] = value;
  rich.add_details()->PackFrom(info);
  add_failures(rich, report);
  if (auto seconds = retry_seconds(report.reason)) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(*seconds);
    rich.add_details()->PackFrom(retry);
  }
  return {code, report.message, rich.SerializeAsString()};
}

}  // namespace zokiod::rpc
