// SPDX-License-Identifier: Apache-2.0
#pragma once

// The works and results of all kinds <-> messages, field by field under the same name: a kind needs
// its struct, its fields() function and its message, and no line here.
// Thread: pure functions.

#include <zokio/v1/job.pb.h>

#include "model/job_spec.h"
#include "rpc/convert.h"

namespace zokiod::rpc {

// Requires: a work is set.
model::Work work_from_proto(const v1::JobSpec& from, Violations& violations);
void work_to_proto(const model::Work& from, v1::JobSpec& out);
// Requires: a result is set.
void result_to_proto(const model::JobResult& from, v1::JobResult& out);

}  // namespace zokiod::rpc
