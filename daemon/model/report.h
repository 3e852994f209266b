// SPDX-License-Identifier: Apache-2.0
#pragma once

// Report: an Error with the words for people, made at the daemon's edge. The code and the reason
// are for programs, the message is for people and is never parsed.

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zokio/base/result.h"

namespace zokiod::model {

// One field that is wrong, by its path in the request: "spec.exec.argv".
struct FieldViolation {
  std::string field;
  std::string description;
  friend bool operator==(const FieldViolation&, const FieldViolation&) = default;
};

struct [[nodiscard]] Report {
  zokio::Error error;
  std::string reason;  // UPPER_SNAKE, at most 63 characters
  std::string message;
  std::vector<FieldViolation> violations;       // INVALID_FIELD: all at once
  std::map<std::string, std::string> metadata;  // the varying parts of the message, for programs
};

template <class T = void>
using Reported = std::expected<T, Report>;

// The reasons that clients may branch on.
namespace reason {
inline constexpr std::string_view kQueueFull = "QUEUE_FULL";               // ResourceExhausted
inline constexpr std::string_view kQueueNotFound = "QUEUE_NOT_FOUND";      // NotFound
inline constexpr std::string_view kQueueExists = "QUEUE_EXISTS";           // AlreadyExists
inline constexpr std::string_view kQueueNotEmpty = "QUEUE_NOT_EMPTY";      // FailedPrecondition
inline constexpr std::string_view kQueueDraining = "QUEUE_DRAINING";       // FailedPrecondition
inline constexpr std::string_view kTooManyQueues = "TOO_MANY_QUEUES";      // ResourceExhausted
inline constexpr std::string_view kDraining = "DRAINING";                  // Unavailable
inline constexpr std::string_view kKindNotAllowed = "KIND_NOT_ALLOWED";    // PermissionDenied
inline constexpr std::string_view kPathNotAllowed = "PATH_NOT_ALLOWED";    // PermissionDenied
inline constexpr std::string_view kInvalidField = "INVALID_FIELD";         // InvalidArgument
inline constexpr std::string_view kRequestIdReused = "REQUEST_ID_REUSED";  // AlreadyExists
inline constexpr std::string_view kJournalUnavailable = "JOURNAL_UNAVAILABLE";  // Unavailable
inline constexpr std::string_view kRevisionCompacted = "REVISION_COMPACTED";    // OutOfRange
inline constexpr std::string_view kSubscriberLagged = "SUBSCRIBER_LAGGED";      // Aborted
inline constexpr std::string_view kTooManyWatches = "TOO_MANY_WATCHES";         // ResourceExhausted
inline constexpr std::string_view kJobNotFound = "JOB_NOT_FOUND";               // NotFound
inline constexpr std::string_view kJobFinished = "JOB_FINISHED";         // FailedPrecondition
inline constexpr std::string_view kJobNotFinished = "JOB_NOT_FINISHED";  // FailedPrecondition
inline constexpr std::string_view kStopping = "STOPPING";                // Unavailable
}  // namespace reason

inline Report make_report(zokio::Errc code, std::string_view reason, std::string message) {
  return {zokio::Error(code, ""), std::string(reason), std::move(message), {}, {}};
}
// An error of a library call with the words around it: "open /x: not found (ENOENT)". The reason is
// the name of the code.
Report make_report(zokio::Error error, std::string message);
inline std::unexpected<Report> refuse(Report r) {
  return std::unexpected<Report>(std::move(r));
}
inline std::unexpected<Report> refuse(zokio::Errc code, std::string_view reason,
                                      std::string message) {
  return refuse(make_report(code, reason, std::move(message)));
}

}  // namespace zokiod::model
