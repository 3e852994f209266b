// SPDX-License-Identifier: Apache-2.0
#pragma once

// Buffers for jobs: a pool at its limit is a reason to wait, not to fail, because limits change
// live. Thread: tasks.

#include "zokio/mem/buffer.h"
#include "zokio/task/task.h"

namespace zokiod::kinds {

// Like mem::lease, but when the limit is reached it asks again for up to 30 s.
// Errors: ResourceExhausted, InvalidArgument, Cancelled.
zokio::Task<zokio::Result<zokio::mem::Buffer>> lease_patiently(size_t bytes);

}  // namespace zokiod::kinds
