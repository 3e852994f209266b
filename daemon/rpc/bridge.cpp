// SPDX-License-Identifier: Apache-2.0
#include "rpc/bridge.h"

#include <exception>
#include <string>

namespace zokiod::rpc {

CallRecord::CallRecord(const CallEnvironment& environment, CallStats::Method& method)
    : stats_(*environment.stats), method_(method), started_(zokio::Instant::now()) {
  stats_.calls_active.fetch_add(1, std::memory_order_relaxed);
}

CallRecord::~CallRecord() {
  stats_.calls_active.fetch_sub(1, std::memory_order_relaxed);
  const auto took = zokio::Instant::now() - started_;
  method_.record(static_cast<size_t>(code_), static_cast<uint64_t>(took.count()));
}

grpc::Status status_of(const Reported<>& outcome) {
  return outcome ? grpc::Status::OK : to_status(outcome.error());
}

grpc::Status status_of_exception() {
  std::string text = "an exception that is no std::exception";
  try {
    throw;
  } catch (const std::exception& e) {
    text = e.what();
  } catch (...) {
  }
  auto report = model::make_report(zokio::Errc::Internal, reason::kUncaughtException,
                                   "internal error: " + text);
  report.metadata["exception"] = text;
  return to_status(report);
}

Reported<> check_size(const CallEnvironment& environment,
                      const google::protobuf::Message& request) {
  const uint64_t size = request.ByteSizeLong();
  if (size <= environment.message_limit_bytes) return {};
  auto report = model::make_report(zokio::Errc::ResourceExhausted, reason::kRequestTooLarge,
                                   "the request has " + std::to_string(size) +
                                       " bytes, the limit (rpc.message_limit) is " +
                                       std::to_string(environment.message_limit_bytes));
  report.metadata["size_bytes"] = std::to_string(size);
  report.metadata["limit_bytes"] = std::to_string(environment.message_limit_bytes);
  return model::refuse(std::move(report));
}

}  // namespace zokiod::rpc
