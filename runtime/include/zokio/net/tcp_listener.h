// SPDX-License-Identifier: Apache-2.0
#pragma once

// A listening TCP socket. Thread: any number of tasks may accept.

#include "zokio/base/result.h"
#include "zokio/net/address.h"
#include "zokio/net/tcp_stream.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::net {

struct ListenOptions {
  int backlog = 1024;       // connections that wait to be accepted; bounded by net.core.somaxconn
  bool reuse_port = false;  // several listeners share the port, each gets a part
  bool only_v6 = true;      // an IPv6 address takes no IPv4 connections
};

class TcpListener {
 public:
  TcpListener() = default;
  // Port 0: the kernel chooses; see local_address. Errors: AlreadyExists (EADDRINUSE),
  // PermissionDenied, ... by errno. Does not wait.
  static Result<TcpListener> bind(Address address, ListenOptions options = {});

  // The next connection, with TCP_NODELAY. While there are no descriptors or no memory it
  // waits, 1 ms at first and 256 ms at most, and tries again: connections stay in the backlog
  // (IoSnapshot::accept_pauses). Errors: ECONNABORTED (that connection went away; accept again),
  // ... Cancel: no connection is lost.
  Task<Result<TcpStream>> accept();

  Result<Address> local_address() const;
  // Requires: nobody is in accept(). Not cancellable.
  Task<Result<void>> close();
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;
};

}  // namespace zokio::net
