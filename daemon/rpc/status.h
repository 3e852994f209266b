// SPDX-License-Identifier: Apache-2.0
#pragma once

// Errors on the wire: one table between Errc and the status codes of gRPC, and the details that a
// Report becomes (ErrorInfo always; BadRequest, QuotaFailure, PreconditionFailure, RetryInfo where
// they say something). Thread: pure functions.

#include <grpcpp/support/status.h>

#include <string_view>

#include "model/report.h"

namespace zokiod::rpc {

inline constexpr std::string_view kErrorDomain = "zokio.dev";

namespace reason {
inline constexpr std::string_view kRequestTooLarge = "REQUEST_TOO_LARGE";     // ResourceExhausted
inline constexpr std::string_view kPeerNotAllowed = "PEER_NOT_ALLOWED";       // PermissionDenied
inline constexpr std::string_view kWaitTimedOut = "WAIT_TIMED_OUT";           // DeadlineExceeded
inline constexpr std::string_view kAttemptNotFound = "ATTEMPT_NOT_FOUND";     // OutOfRange
inline constexpr std::string_view kConfigInvalid = "CONFIG_INVALID";          // InvalidArgument
inline constexpr std::string_view kRestartRequired = "RESTART_REQUIRED";      // FailedPrecondition
inline constexpr std::string_view kUncaughtException = "UNCAUGHT_EXCEPTION";  // Internal
inline constexpr std::string_view kCancelled = "CANCELLED";                   // Cancelled
}  // namespace reason

grpc::StatusCode to_grpc(zokio::Errc code);
// UNKNOWN for codes that have no Errc (OK, UNAUTHENTICATED).
zokio::Errc from_grpc(grpc::StatusCode code);

grpc::Status to_status(const model::Report& report);

}  // namespace zokiod::rpc
