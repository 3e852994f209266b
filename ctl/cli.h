// SPDX-License-Identifier: Apache-2.0
#pragma once

// The command line as a whole: global options, the command tree, parse and dispatch.
// Thread: one.

#include <string>
#include <vector>

#include "context.h"

namespace zokioctl {

inline constexpr const char* kVersion = ZOKIO_VERSION;

// Parses `arguments` (without the program's name), runs the command, returns the exit code.
// Environment: ZOKIO_ADDRESS, NO_COLOR.
int run_cli(const std::vector<std::string>& arguments, Context& context);

}  // namespace zokioctl
