// SPDX-License-Identifier: Apache-2.0
#pragma once

// What went wrong, for people and for scripts: what, why, the next step, the reason for machines,
// and the exit code.
// Thread: values.

#include <grpcpp/support/status.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exit_code.h"

namespace zokioctl {

struct Failure {
  int exit_code = kExitFailed;
  std::string code;     // "NOT_FOUND"; empty: not from zokiod
  std::string reason;   // "JOB_NOT_FOUND"
  std::string message;  // what and why
  std::string hint;     // what to do; empty: nothing to say
  std::vector<std::pair<std::string, std::string>> violations;  // field, description
  std::map<std::string, std::string> metadata;

  // "error: no job 01H... (JOB_NOT_FOUND). Try: zokioctl job list", wrong fields below.
  std::string text(bool color) const;
};

// From the status of a call, with its details.
Failure failure_of(const grpc::Status& status);
// Wrong arguments.
Failure usage(std::string message, std::string hint = "");

// The next step for a reason, or "".
std::string hint_for(std::string_view reason, const std::map<std::string, std::string>& metadata);

}  // namespace zokioctl
