// SPDX-License-Identifier: Apache-2.0
#include "model/job_state.h"

namespace zokiod::model {

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::Queued:
      return "queued";
    case JobState::Running:
      return "running";
    case JobState::Retrying:
      return "retrying";
    case JobState::Succeeded:
      return "succeeded";
    case JobState::Failed:
      return "failed";
    case JobState::Cancelled:
      return "cancelled";
    case JobState::TimedOut:
      return "timed_out";
    case JobState::Waiting:
      return "waiting";
  }
  return "unknown";
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::Succeeded:
      return "succeeded";
    case Outcome::Failed:
      return "failed";
    case Outcome::Cancelled:
      return "cancelled";
    case Outcome::TimedOut:
      return "timed_out";
    case Outcome::Interrupted:
      return "interrupted";
  }
  return "unknown";
}

std::string_view to_string(Trigger trigger) {
  switch (trigger) {
    case Trigger::Start:
      return "start";
    case Trigger::Succeed:
      return "succeed";
    case Trigger::Fail:
      return "fail";
    case Trigger::Retry:
      return "retry";
    case Trigger::Due:
      return "due";
    case Trigger::TimeOut:
      return "time_out";
    case Trigger::Cancel:
      return "cancel";
    case Trigger::Interrupt:
      return "interrupt";
    case Trigger::Ready:
      return "ready";
    case Trigger::Expire:
      return "expire";
    case Trigger::Requeue:
      return "requeue";
  }
  return "unknown";
}

std::optional<JobState> parse_job_state(std::string_view text) {
  for (const JobState state : kJobStates)
    if (to_string(state) == text) return state;
  return std::nullopt;
}

std::optional<JobState> next_state(JobState from, Trigger trigger) {
  using enum JobState;
  switch (from) {
    case Waiting:
      if (trigger == Trigger::Ready) return Queued;
      if (trigger == Trigger::Cancel) return Cancelled;
      if (trigger == Trigger::Expire) return TimedOut;
      return std::nullopt;
    case Queued:
      if (trigger == Trigger::Start) return Running;
      if (trigger == Trigger::Cancel) return Cancelled;
      if (trigger == Trigger::Expire) return TimedOut;
      return std::nullopt;
    case Running:
      switch (trigger) {
        case Trigger::Succeed:
          return Succeeded;
        case Trigger::Fail:
          return Failed;
        case Trigger::Retry:
          return Retrying;
        case Trigger::TimeOut:
          return TimedOut;
        case Trigger::Cancel:
          return Cancelled;
        case Trigger::Interrupt:
          return Queued;
        case Trigger::Start:
        case Trigger::Due:
        case Trigger::Ready:
        case Trigger::Expire:
        case Trigger::Requeue:
          return std::nullopt;
      }
      return std::nullopt;
    case Retrying:
      if (trigger == Trigger::Due) return Queued;
      if (trigger == Trigger::Cancel) return Cancelled;
      if (trigger == Trigger::Expire) return TimedOut;
      return std::nullopt;
    case Failed:
    case Cancelled:
    case TimedOut:
      if (trigger == Trigger::Requeue) return Queued;
      return std::nullopt;
    case Succeeded:
      return std::nullopt;  // for good
  }
  return std::nullopt;
}

zokio::Result<JobState> transition(StateCell& cell, Trigger trigger) {
  const auto to = next_state(cell.state_, trigger);
  if (!to) return zokio::fail(zokio::Errc::FailedPrecondition, "job state");
  cell.state_ = *to;
  return *to;
}

}  // namespace zokiod::model
