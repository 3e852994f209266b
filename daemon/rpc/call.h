// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every handler of one identity works with. Without gRPC, so that services outside this module
// can be made for it (server.h: ServiceFactory).

#include <cstdint>

#include "model/job.h"
#include "rpc/call_stats.h"

namespace zokio {
class Runtime;
}

namespace zokiod::rpc {

struct CallEnvironment {
  zokio::Runtime* runtime = nullptr;
  CallStats* stats = nullptr;
  uint64_t message_limit_bytes = 0;
  model::Principal principal;  // who calls: the same for every call of these handlers
};

}  // namespace zokiod::rpc
