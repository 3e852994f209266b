// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory of coroutine frames, from the pool "frames". Used by operator new and delete of promises.
// Thread: any; a frame may be freed on another thread than the one that allocated it.

#include <cstddef>

namespace zokio::mem {

// Aligned to 16. Never null: a pool at its limit still serves, counts that in failures_limit and
// stays `shrinking` until it is below again; when the system has no memory left, the process
// aborts.
void* allocate_frame(std::size_t bytes) noexcept;

// Requires: `frame` came from allocate_frame(bytes) with the same `bytes`. Null is allowed.
void free_frame(void* frame, std::size_t bytes) noexcept;

}  // namespace zokio::mem
