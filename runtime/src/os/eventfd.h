// SPDX-License-Identifier: Apache-2.0
#pragma once

// A counter in the kernel that makes a descriptor readable: the bell of a reactor.
// Thread: any.

#include "zokio/base/result.h"
#include "zokio/os/fd.h"

namespace zokio::os {

// Blocking on purpose: io_uring answers EAGAIN for non-blocking ones on older kernels, and only the
// owner reads it, when it is readable. Errors: ResourceExhausted.
Result<Fd> make_eventfd();
// Makes it readable. Never blocks in practice: the counter has 64 bits.
void ring_eventfd(int fd) noexcept;
// Makes it unreadable. Requires: readable, or it blocks.
void drain_eventfd(int fd) noexcept;

}  // namespace zokio::os
