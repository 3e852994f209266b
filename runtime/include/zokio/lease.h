// SPDX-License-Identifier: Apache-2.0
#pragma once

// lease_async: an I/O buffer, waited for while the pool "buffers" is full.

#include <cstddef>

#include "zokio/base/result.h"
#include "zokio/mem/buffer.h"
#include "zokio/task/task.h"

namespace zokio {

// mem::lease(bytes). When a limit leaves no room and the policy of the pool is WhenFull::Wait
// (zokio/mem/pools.h), waits until enough was freed or the limit rose; the tasks that wait are
// served in the order in which they came. A thread that must not wait calls mem::lease, which fails
// when there is no room, and may overtake those who wait when there is.
// Errors: as mem::lease; ResourceExhausted/Limit at once when `bytes` alone are more than a limit
// allows, or the policy is another.
// Cancel: ends the wait; with_timeout bounds it. Requires: inside a task.
Task<Result<mem::Buffer>> lease_async(std::size_t bytes);

}  // namespace zokio
