// SPDX-License-Identifier: Apache-2.0
#pragma once

// The listening unix socket: a path, never an abstract name, which every container that shares the
// network namespace could reach.

#include <cstdint>
#include <string>

#include "model/report.h"
#include "zokio/os/fd.h"

namespace zokiod::rpc {

// Makes `path` with `mode` and `group` (name or number; empty: as it is) and listens. A left-over
// socket that nobody serves is replaced; one that is served is SOCKET_IN_USE. The permissions hold
// from the first moment on. Thread: before others that depend on the umask.
model::Reported<zokio::os::Fd> listen_unix(const std::string& path, uint32_t mode,
                                           const std::string& group);

// Removes `path` if it is still that file.
void remove_socket(const std::string& path, uint64_t device, uint64_t inode);

}  // namespace zokiod::rpc
