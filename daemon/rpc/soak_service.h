// SPDX-License-Identifier: Apache-2.0
#pragma once

// zokio.v1.SoakService: start, follow, stop a soak, fetch its report. Names no gRPC type, so that
// daemon.cpp can put it into Dependencies::more_services.

#include "rpc/server.h"
#include "soak/engine.h"

namespace zokiod::rpc {

// `soak` outlives the server.
ServiceFactory soak_service(soak::Engine& soak);

}  // namespace zokiod::rpc
