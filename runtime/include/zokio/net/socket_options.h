// SPDX-License-Identifier: Apache-2.0
#pragma once

// Options of sockets, by descriptor (stream.fd()). Plain calls that do not wait. Errors:
// InvalidArgument, FailedPrecondition (EBADF), ... by errno. Thread: any.

#include <chrono>
#include <cstddef>

#include "zokio/base/result.h"

namespace zokio::net {

// When a silent connection is asked whether the other side still lives, and when it is given up.
struct KeepAlive {
  std::chrono::seconds idle{60};      // silence before the first probe
  std::chrono::seconds interval{10};  // between probes
  int probes = 6;                     // unanswered ones that end the connection (ETIMEDOUT)
};

Result<void> set_keep_alive(int fd, const KeepAlive& how) noexcept;
Result<void> clear_keep_alive(int fd) noexcept;

// Small messages go out at once. On for every TcpStream of this library.
Result<void> set_no_delay(int fd, bool on) noexcept;
// How long sent bytes may stay unacknowledged before the connection is given up; 0: the system's.
Result<void> set_user_timeout(int fd, std::chrono::milliseconds timeout) noexcept;

// Close sends a reset and throws away what is not sent. The other forms of SO_LINGER are not
// offered: with them a close waits, and would hold a worker. Who wants to know that everything
// arrived ends the protocol by shutdown_write() and a read to the end.
Result<void> set_reset_on_close(int fd, bool on) noexcept;

// Sizes of the kernel's buffers; it doubles and bounds them (net.core.rmem_max, wmem_max).
Result<void> set_receive_buffer(int fd, std::size_t bytes) noexcept;
Result<void> set_send_buffer(int fd, std::size_t bytes) noexcept;

// Datagrams to 255.255.255.255 and the like are refused without it.
Result<void> set_broadcast(int fd, bool on) noexcept;

}  // namespace zokio::net
