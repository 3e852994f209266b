// SPDX-License-Identifier: Apache-2.0
#pragma once

// Datagrams over UDP. Each send is one datagram, each receive takes one; an empty one is valid.
// Cancel: nothing was sent or taken, the buffer comes back.
// Thread: any number of senders and receivers.

#include <optional>

#include "zokio/base/result.h"
#include "zokio/io/io_result.h"
#include "zokio/net/address.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::net {

struct Datagram {
  Result<std::size_t> n{0};  // bytes in the buffer
  mem::Buffer buffer;
  std::optional<Address> from{};  // set when n has a value
  bool truncated = false;         // the datagram was longer than the buffer; the rest is gone
};

class UdpSocket {
 public:
  UdpSocket() = default;
  // Port 0: the kernel chooses. Errors: AlreadyExists (EADDRINUSE), ... by errno. Does not wait.
  static Result<UdpSocket> bind(Address address);
  // From now on send() goes there, and only what comes from there is received. Does not wait.
  Result<void> connect(Address peer) noexcept;

  Task<IoResult> send_to(mem::Buffer buffer, Address to);
  Task<Datagram> recv_from(mem::Buffer buffer);
  // Requires: connect(). Errors: Unavailable (ECONNREFUSED: nobody listens there), ...
  Task<IoResult> send(mem::Buffer buffer);
  Task<IoResult> recv(mem::Buffer buffer);

  Result<Address> local_address() const;
  // Requires: nothing is in flight on it.
  Result<void> close() noexcept;
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;
};

}  // namespace zokio::net
