// SPDX-License-Identifier: Apache-2.0
#pragma once

// A listening Unix socket. Thread: any number of tasks may accept.

#include "zokio/net/unix_address.h"
#include "zokio/net/unix_stream.h"

namespace zokio::net {

class UnixListener {
 public:
  UnixListener() = default;
  // Makes the name; one that exists is AlreadyExists (EADDRINUSE), also when nobody listens there
  // any more: whether it may be removed only the caller knows. Its file stays after close().
  static Result<UnixListener> bind(const UnixAddress& address, int backlog = 1024);

  // Errors and cancel: as TcpListener::accept.
  Task<Result<UnixStream>> accept();
  // Requires: nobody is in accept().
  Result<void> close() noexcept;
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;
};

}  // namespace zokio::net
