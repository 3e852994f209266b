// SPDX-License-Identifier: Apache-2.0
#pragma once

// A descriptor that names one process, whatever happens to its number. Thread: any.

#include <signal.h>
#include <sys/types.h>

#include "zokio/base/result.h"
#include "zokio/os/fd.h"

namespace zokio::os {

// Requires: `pid` is a child that is not reaped.
Result<Fd> open_pidfd(pid_t pid);
Result<void> signal_pidfd(int pidfd, int signal) noexcept;

// Reaps the child. With `block` waits for its end; otherwise false when it has not ended.
Result<bool> reap_pidfd(int pidfd, bool block, siginfo_t& info) noexcept;

}  // namespace zokio::os
