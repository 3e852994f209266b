// SPDX-License-Identifier: Apache-2.0
#pragma once

// What scripts may rely on: the exit codes of zokioctl. `run` passes the job's own code through.
// Thread: pure functions.

#include <grpcpp/support/status_code_enum.h>

#include <string_view>

namespace zokioctl {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,  // the job or the operation failed
  kExitUsage = 2,   // wrong arguments, or a field that the server refuses
  kExitNotFound = 3,
  kExitConflict = 4,     // a precondition does not hold, or somebody was faster
  kExitUnavailable = 5,  // cannot reach zokiod, or it takes no work now
  kExitDenied = 6,
  kExitTimedOut = 7,
  kExitExhausted = 8,  // a limit was reached
  kExitSoakFail = 10,
  kExitSoakInconclusive = 11,
  kExitRunFailed = 125,  // `run`: zokio's own failure, not the job's
  kExitInterrupted = 130,
};

// For a call that ended with `code`.
int exit_code_of(grpc::StatusCode code);

// The table for people: "0 ok", one line each.
std::string_view exit_code_help();

}  // namespace zokioctl
