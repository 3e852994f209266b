// SPDX-License-Identifier: Apache-2.0
#pragma once

// A connection over a Unix socket: bytes as over TCP, and descriptors passed along with them.
// Cancel and threads: as TcpStream.

#include <sys/types.h>

#include <utility>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/io/io_result.h"
#include "zokio/io/stream.h"
#include "zokio/net/unix_address.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::net {

// Who is at the other end: as it was when the connection was made.
struct Credentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Bytes and the descriptors that came with them.
struct FdMessage {
  Result<std::size_t> n{0};
  mem::Buffer buffer;
  std::vector<os::Fd> fds{};   // close-on-exec, this process's own
  bool fds_truncated = false;  // more came than were asked for, or than fit; those are closed
};

class UnixStream {
 public:
  UnixStream() = default;
  // Takes over a connected, non-blocking socket.
  explicit UnixStream(os::Fd fd) noexcept : fd_(std::move(fd)) {}

  // Errors: NotFound (ENOENT), Unavailable (ECONNREFUSED), PermissionDenied, ... Waits while the
  // listener's backlog is full.
  static Task<Result<UnixStream>> connect(UnixAddress address);
  // Two ends of one connection.
  static Result<std::pair<UnixStream, UnixStream>> pair();

  // As TcpStream. Descriptors that come with what read() takes are closed.
  Task<IoResult> read(mem::Buffer buffer, std::size_t skip = 0, std::size_t limit = io::kNoLimit);
  Task<IoResult> read_exactly(mem::Buffer buffer, std::size_t count);
  Task<IoResult> write(mem::Buffer buffer, std::size_t skip = 0);
  Task<IoResult> write_all(mem::Buffer buffer);
  Task<ChainResult> write_all(mem::BufferChain chain);

  // Sends bytes and, with the first of them, copies of descriptors; those given stay open and the
  // caller's. May send fewer bytes, but then all descriptors. Errors: InvalidArgument (no bytes,
  // more than 253 descriptors).
  Task<IoResult> send_fds(mem::Buffer buffer, std::vector<int> fds);
  // Receives bytes and at most `max_fds` descriptors. n == 0: the end of the stream.
  Task<FdMessage> recv_fds(mem::Buffer buffer, std::size_t max_fds);

  Result<Credentials> peer_credentials() const;
  Result<void> shutdown_write() noexcept;
  Result<void> shutdown() noexcept;
  // Requires: nothing is in flight on it. Not cancellable.
  Task<Result<void>> close();
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;  // an open stream that goes out of scope is closed at once
};

}  // namespace zokio::net
