// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fork and exec in one step. Everything that allocates or may fail elsewhere was done by the
// caller: between fork and exec only system calls are made.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "zokio/base/result.h"

namespace zokio::os {

// RLIMIT_*, soft and hard.
struct SpawnLimit {
  int resource = 0;
  uint64_t value = 0;
};

struct SpawnRequest {
  const char* path = nullptr;  // with a slash
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* working_directory = nullptr;  // null: stay
  int standard_input = -1;                  // descriptors of this process, each 3 or more
  int standard_output = -1;
  int standard_error = -1;
  uint32_t umask = 022;
  uint64_t max_fds = 1024;
  const SpawnLimit* limits = nullptr;
  size_t limit_count = 0;
};

// The pid of the running program, which nobody may reap but the caller. Errors: by the errno of
// the step that failed in the child, with its name in `where`. Thread: any.
Result<pid_t> spawn(const SpawnRequest& request);

}  // namespace zokio::os
