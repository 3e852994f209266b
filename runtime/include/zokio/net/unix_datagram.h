// SPDX-License-Identifier: Apache-2.0
#pragma once

// Datagrams over a Unix socket: whole messages in order, none lost; a sender waits when the
// receiver's queue is full. Cancel and threads: as UdpSocket.

#include <utility>
#include <vector>

#include "zokio/net/unix_address.h"
#include "zokio/net/unix_stream.h"

namespace zokio::net {

struct UnixDatagramMessage {
  Result<std::size_t> n{0};
  mem::Buffer buffer;
  UnixAddress from{};         // without a name when the sender has none
  std::vector<os::Fd> fds{};  // close-on-exec, this process's own
  bool truncated = false;     // the datagram was longer than the buffer; the rest is gone
  bool fds_truncated = false;
};

class UnixDatagram {
 public:
  UnixDatagram() = default;
  // Errors: as UnixListener::bind.
  static Result<UnixDatagram> bind(const UnixAddress& address);
  // Without a name: for who only sends.
  static Result<UnixDatagram> unbound();
  static Result<std::pair<UnixDatagram, UnixDatagram>> pair();
  // From now on send() goes there. Does not wait.
  Result<void> connect(const UnixAddress& peer) noexcept;

  // Errors: Unavailable (ECONNREFUSED), NotFound (ENOENT), InvalidArgument (more than 253
  // descriptors), ... The descriptors stay the caller's.
  Task<IoResult> send_to(mem::Buffer buffer, UnixAddress to, std::vector<int> fds = {});
  // Requires: connect() or pair().
  Task<IoResult> send(mem::Buffer buffer, std::vector<int> fds = {});
  Task<UnixDatagramMessage> recv_from(mem::Buffer buffer, std::size_t max_fds = 0);

  // Requires: nothing is in flight on it.
  Result<void> close() noexcept;
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;
};

}  // namespace zokio::net
