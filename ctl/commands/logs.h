// SPDX-License-Identifier: Apache-2.0
#pragma once

// Copies the output of an attempt to the output of this program. Thread: one.

#include <cstdint>
#include <string>

#include "context.h"
#include "interrupt.h"

namespace zokioctl {

// `attempt`: 0 for the latest; set to the one that was read. With `follow` until the attempt ends
// or a Ctrl-C.
grpc::Status copy_log(Context& context, Interrupt& interrupt, const std::string& id, bool follow,
                      uint32_t& attempt);

}  // namespace zokioctl
