// SPDX-License-Identifier: Apache-2.0
#pragma once

// The states of a job and the only table that moves between them (docs/job_states.md).
//
//   (new) Waiting
//            | Ready
//            v
//   (new) Queued --Start--> Running --Succeed--> Succeeded
//          ^  ^                |-----Fail------> Failed
//          |  +---Interrupt----|-----TimeOut---> TimedOut    (Expire: from all that wait)
//         Due                  |-----Cancel----> Cancelled   (also from all that wait)
//          |                   |
//        Retrying <---Retry----+         Failed, TimedOut, Cancelled --Requeue--> Queued
//
// Thread: values; the owner of a job guards its StateCell.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "zokio/base/result.h"

namespace zokiod::model {

// The numbers are stored on disk: never renumbered.
enum class JobState : uint8_t {
  Queued = 1,
  Running = 2,
  Retrying = 3,  // failed, waits for its backoff
  Succeeded = 4,
  Failed = 5,
  Cancelled = 6,
  TimedOut = 7,
  Waiting = 8,  // for a time, or for other jobs
};
inline constexpr std::array kJobStates = {
    JobState::Waiting,   JobState::Queued, JobState::Running,   JobState::Retrying,
    JobState::Succeeded, JobState::Failed, JobState::Cancelled, JobState::TimedOut};

// What happens to a job.
enum class Trigger : uint8_t {
  Start,  // an attempt begins
  Succeed,
  Fail,   // for good
  Retry,  // failed with attempts left
  Due,    // the backoff is over
  TimeOut,
  Cancel,     // asked for by a client
  Interrupt,  // drain, crash: not the job's fault, not counted against it
  Ready,      // what it waited for has come
  Expire,     // its deadline passed while it waited
  Requeue,    // a client wants another try
};
inline constexpr std::array kTriggers = {Trigger::Start,  Trigger::Succeed,   Trigger::Fail,
                                         Trigger::Retry,  Trigger::Due,       Trigger::TimeOut,
                                         Trigger::Cancel, Trigger::Interrupt, Trigger::Ready,
                                         Trigger::Expire, Trigger::Requeue};

// How one attempt ended. The numbers are stored on disk: never renumbered.
enum class Outcome : uint8_t {
  Succeeded = 1,
  Failed = 2,
  Cancelled = 3,
  TimedOut = 4,
  Interrupted = 5,
};
inline constexpr std::array kOutcomes = {Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled,
                                         Outcome::TimedOut, Outcome::Interrupted};

constexpr bool is_terminal(JobState s) {
  return s >= JobState::Succeeded && s <= JobState::TimedOut;
}
// Neither running nor finished.
constexpr bool is_waiting(JobState s) {
  return s == JobState::Waiting || s == JobState::Queued || s == JobState::Retrying;
}

// Lower case, as in output and metrics: "queued", "timed_out".
std::string_view to_string(JobState state);
std::string_view to_string(Outcome outcome);
std::string_view to_string(Trigger trigger);
std::optional<JobState> parse_job_state(std::string_view text);

// The table: the state after `trigger`, or nullopt where it cannot happen.
std::optional<JobState> next_state(JobState from, Trigger trigger);

// A job's state. Only transition() changes it; restored() is for what a store read back.
class StateCell {
 public:
  StateCell() = default;
  // Of a new job that may not be queued yet.
  static StateCell waiting() { return StateCell(JobState::Waiting); }
  static StateCell restored(JobState state) { return StateCell(state); }

  JobState get() const { return state_; }
  operator JobState() const { return state_; }  // NOLINT: reads like the state it is

 private:
  explicit StateCell(JobState state) : state_(state) {}
  friend zokio::Result<JobState> transition(StateCell& cell, Trigger trigger);
  JobState state_ = JobState::Queued;
};

// Moves `cell` and returns the state reached. FailedPrecondition: the table does not have it.
zokio::Result<JobState> transition(StateCell& cell, Trigger trigger);

}  // namespace zokiod::model
