// SPDX-License-Identifier: Apache-2.0
#pragma once

// Starts a program with nothing inherited that was not asked for.
//
// The child gets: exactly the given arguments and environment (NOTIFY_SOCKET, LISTEN_FDS and their
// like are taken out even when given), /dev/null as standard input, default signal handlers and an
// empty mask, a process group of its own, no descriptor but 0, 1 and 2, no_new_privs, a soft limit
// of 1024 descriptors (programs that loop over all of them, or use select, expect no more), and the
// given umask.

#include <cstdint>
#include <string>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/process/child.h"

namespace zokio::process {

enum class Output : uint8_t {
  Null,  // thrown away
  Pipe,  // read through Child::standard_output() or standard_error()
  // Into the pipe of the standard output, in the order of writing, as `2>&1`; for standard_error
  // only. Two pipes have no common order: who wants one text wants one pipe.
  Merged,
};

// One RLIMIT_*, soft and hard; a value above the hard limit of this process is cut to it.
struct Limit {
  int resource = 0;
  uint64_t value = 0;
};

struct Command {
  // The program first. Without a slash it is looked for in the PATH of `environment`, or in
  // /usr/local/bin:/usr/bin:/bin when that has none.
  std::vector<std::string> arguments{};
  std::vector<std::string> environment{};  // "NAME=value"
  std::string working_directory{};         // empty: that of this process
  Output standard_output = Output::Pipe;
  Output standard_error = Output::Pipe;
  uint32_t umask = 022;
  uint64_t max_fds = 1024;
  std::vector<Limit> limits{};

  // Starts it. Returns when the program runs, or with the errno of the step that failed: `where`
  // is "exec", "chdir", ... Blocks the thread for the time of fork and exec (about a millisecond).
  // Errors: NotFound (ENOENT), PermissionDenied (EACCES), InvalidArgument (no argument, a NUL
  // byte), ResourceExhausted (EAGAIN: processes, EMFILE). Thread: any.
  Result<Child> spawn() const;
};

}  // namespace zokio::process
