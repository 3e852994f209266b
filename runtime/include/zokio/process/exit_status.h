// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace zokio::process {

// How a process ended: by exit(code), or by a signal.
struct ExitStatus {
  bool signaled = false;
  int code = 0;    // when not signaled
  int signal = 0;  // when signaled
  bool core_dumped = false;

  bool success() const { return !signaled && code == 0; }
  // "exit code 3", "signal 9 (Killed)". Allocates.
  std::string to_string() const;
};

}  // namespace zokio::process
