// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reading and writing a connected stream socket; what TcpStream and UnixStream do.
// Thread: one reader and one writer at a time.

#include "zokio/io/io_result.h"
#include "zokio/io/stream.h"
#include "zokio/task/task.h"

namespace zokio::net {

Task<IoResult> read_socket(int fd, mem::Buffer buffer, std::size_t skip, std::size_t limit);
Task<IoResult> read_socket_exactly(int fd, mem::Buffer buffer, std::size_t count);
Task<IoResult> write_socket(int fd, mem::Buffer buffer, std::size_t skip);
Task<IoResult> write_socket_all(int fd, mem::Buffer buffer);
Task<ChainResult> write_socket_all(int fd, mem::BufferChain chain);

}  // namespace zokio::net
