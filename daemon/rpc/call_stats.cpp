// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_stats.h"

#include "zokio/base/assert.h"

namespace zokiod::rpc {

std::string_view code_name(size_t code) {
  static constexpr std::array<std::string_view, kCodes> kNames = {"OK",
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
  ZOKIO_CHECK(code < kCodes, "a canonical status code");
  return kNames[code];
}

CallStats::Method& CallStats::method(std::string_view service, std::string_view name) {
  std::scoped_lock lock(mutex_);
  for (Method& row : methods_)
    if (row.service == service && row.name == name) return row;
  return methods_.emplace_back(std::string(service), std::string(name));
}

ServerStats CallStats::snapshot() const {
  ServerStats out;
  out.connections_accepted = connections_accepted.read();
  out.connections_refused = connections_refused.read();
  out.calls_denied = calls_denied.read();
  out.calls_active = calls_active.load(std::memory_order_relaxed);
  std::scoped_lock lock(mutex_);
  out.methods.reserve(methods_.size());
  for (const Method& row : methods_) {
    MethodFigures& figures = out.methods.emplace_back();
    figures.service = row.service;
    figures.method = row.name;
    for (size_t i = 0; i < kCodes; ++i) figures.handled[i] = row.handled_[i].read();
    figures.handling_ns = row.handling_ns_.snapshot();
  }
  return out;
}

}  // namespace zokiod::rpc
