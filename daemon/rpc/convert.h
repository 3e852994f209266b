// SPDX-License-Identifier: Apache-2.0
#pragma once

// Messages <-> values of the model. Reading a request collects every wrong field; writing an answer
// cannot fail. Thread: pure functions.

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <zokio/v1/job.pb.h>
#include <zokio/v1/job_service.pb.h>
#include <zokio/v1/runtime_service.pb.h>

#include <optional>
#include <string>
#include <vector>

#include "jobs/engine.h"
#include "model/job.h"
#include "model/report.h"
#include "rpc/runtime_control.h"

namespace zokiod::rpc {

namespace v1 = ::zokio::v1;
using Violations = std::vector<model::FieldViolation>;

// INVALID_FIELD with every violation; the message counts them and names the first.
model::Report invalid(Violations violations);

v1::JobState to_proto(model::JobState state);
std::optional<model::JobState> from_proto(v1::JobState state);
v1::AttemptOutcome to_proto(model::Outcome outcome);

void set_time(google::protobuf::Timestamp& out, model::WallTime time);
google::protobuf::Duration to_proto(zokio::Duration duration);
// Adds a violation for a negative, malformed or too long span (more than 100 years).
zokio::Duration from_proto(const google::protobuf::Duration& duration, const std::string& field,
                           Violations& violations);

model::Reported<model::JobSpec> from_proto(const v1::JobSpec& spec);
v1::JobSpec to_proto(const model::JobSpec& spec);
v1::Job to_proto(const model::Job& job);
v1::JobEvent to_proto(const jobs::JobEvent& event);

// "id" -> JobId, or INVALID_FIELD naming `field`.
model::Reported<model::JobId> parse_id(const std::string& text, const std::string& field);

model::Reported<RuntimeUpdate> from_proto(const v1::UpdateRuntimeRequest& request);
v1::Runtime to_proto(const RuntimeView& view);
v1::RuntimeChange to_proto(const zokio::ResizeReport& report);

}  // namespace zokiod::rpc
