// SPDX-License-Identifier: Apache-2.0
#pragma once

// Jobs for people: rows, details, one-line results. Thread: pure functions.

#include <google/protobuf/timestamp.pb.h>
#include <zokio/v1/job.pb.h>

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace zokioctl {

namespace v1 = ::zokio::v1;

std::string state_name(v1::JobState state);  // "succeeded"
std::optional<v1::JobState> parse_state(const std::string& name);
std::string outcome_name(v1::AttemptOutcome outcome);
bool finished(v1::JobState state);

// "exit code 1", "3 files, 1.2Mi, sha256 ab12...", the error, or progress.
std::string result_text(const v1::Job& job);
std::string time_text(const google::protobuf::Timestamp& time);  // local, "2026-03-01 12:00:00"

std::vector<std::string> job_header();
std::vector<std::string> job_row(const v1::Job& job);
void print_job(std::ostream& out, const v1::Job& job);  // key: value lines

// The exit code for a job that ended: 0, or 1 with the failure as its text.
int job_exit_code(const v1::Job& job);

}  // namespace zokioctl
