// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sends a part of a file over a socket without its bytes coming through this process: through a
// pipe inside the kernel (splice), and by reading and sending where a file system cannot do that.
// Pays for large files; below about 64 KiB reading and writing is as fast.

#include <cstdint>

#include "zokio/base/result.h"
#include "zokio/task/task.h"

namespace zokio::net {

// `socket`: of a connected stream; `file`: open for reading. Up to `count` bytes from `offset` on.
// How many went over: fewer when the file ends. Errors: those of the file and of the socket; a part
// may have been sent then, and after a cancel.
Task<Result<uint64_t>> send_file(int socket, int file, uint64_t offset, uint64_t count);

}  // namespace zokio::net
