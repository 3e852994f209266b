// SPDX-License-Identifier: Apache-2.0
#pragma once

// A job's record: what was asked, where it stands, how it ended. A value; owners guard their copy.

#include <cstdint>
#include <string>

#include "model/id.h"
#include "model/job_spec.h"
#include "model/job_state.h"
#include "zokio/base/error.h"

namespace zokiod::model {

// Wall-clock time: nanoseconds since 1970 UTC; 0: not yet.
struct WallTime {
  int64_t unix_ns = 0;
  static WallTime now();
  bool is_set() const { return unix_ns != 0; }
  friend auto operator<=>(WallTime, WallTime) = default;
};

// Who asked, as the kernel says.
struct Principal {
  uint32_t uid = 0;
  uint32_t gid = 0;
  friend bool operator==(const Principal&, const Principal&) = default;
};

struct Progress {
  uint64_t done = 0;
  uint64_t total = 0;  // 0: unknown
  std::string note;    // one line of the kind, for people
  friend bool operator==(const Progress&, const Progress&) = default;
};

// Why the last attempt did not succeed. Empty reason: it did, or none ended.
struct JobError {
  zokio::Errc code = zokio::Errc::Unknown;
  std::string reason;   // UPPER_SNAKE: "EXIT_CODE", "NOT_FOUND", "TIMED_OUT", ...
  std::string message;  // for people
  friend bool operator==(const JobError&, const JobError&) = default;
};

struct Job {
  JobId id;
  JobSpec spec;
  StateCell state;
  Principal principal;
  std::string request_id;  // empty: the client gave none

  uint32_t attempt = 0;           // started so far; fences results: only this one may be recorded
  uint32_t failures = 0;          // attempts counted against spec.retry.attempts_max
  uint32_t interruptions = 0;     // attempts that a drain or a crash ended, not counted
  uint32_t crashes = 0;           // of those, by a crash, without an end by itself in between
  bool cancel_requested = false;  // while running: the attempt was told, it has not ended

  WallTime created;
  WallTime queued;      // of the latest time in the queue
  WallTime started;     // of the current or last attempt
  WallTime finished;    // terminal states only
  WallTime not_before;  // Retrying, and Waiting with a delay: when it is due

  JobError error;
  JobResult result;       // Succeeded, and Failed where the kind has one (an exit code)
  Progress progress;      // of the running attempt; not stored
  uint64_t revision = 0;  // of the event that announced this version; not stored

  // When its deadline passes; not set: it has none.
  WallTime expires() const {
    return spec.deadline.count() > 0 ? WallTime{created.unix_ns + spec.deadline.count()}
                                     : WallTime{};
  }
  bool expired(WallTime now) const { return expires().is_set() && expires() <= now; }
};

// One attempt that ended, as the store records it.
struct AttemptEnd {
  JobId id;
  uint32_t attempt = 0;
  Outcome outcome = Outcome::Failed;
  WallTime started;
  WallTime finished;
};

}  // namespace zokiod::model
