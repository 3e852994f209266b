// SPDX-License-Identifier: Apache-2.0
#pragma once

// Queues: messages <-> values of the model. Thread: pure functions.

#include <zokio/v1/queue_service.pb.h>

#include "rpc/convert.h"

namespace zokiod::rpc {

model::Reported<model::QueuePatch> from_proto(const v1::QueueSettings& settings);
v1::Queue to_proto(const jobs::QueueStats& stats);

}  // namespace zokiod::rpc
