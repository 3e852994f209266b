// SPDX-License-Identifier: Apache-2.0
#pragma once

// One TCP connection. Reads and writes take a buffer and give it back.
// Cancel: the wait ends with Cancelled, nothing was transferred by that step, the buffer comes
// back, and the stream can be used on.
// Thread: one reader and one writer at a time, each from any worker.

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "zokio/base/clock.h"
#include "zokio/base/result.h"
#include "zokio/io/io_result.h"
#include "zokio/io/stream.h"
#include "zokio/net/address.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::net {

class TcpStream {
 public:
  TcpStream() = default;
  // Takes over a connected, non-blocking socket.
  explicit TcpStream(os::Fd fd) noexcept : fd_(std::move(fd)) {}

  // Errors: Unavailable (ECONNREFUSED), DeadlineExceeded (ETIMEDOUT), ... by errno.
  static Task<Result<TcpStream>> connect(Address address);

  // To the first of several addresses that answers: IPv6 and IPv4 in turn, beginning with the
  // family of the first; the next is tried when one fails or has not answered for `stagger`, and
  // the attempts before it go on (RFC 8305). Errors: those of the last to fail; InvalidArgument
  // (no address). Cancel: nothing is left of any attempt.
  static Task<Result<TcpStream>> connect_any(std::vector<Address> addresses,
                                             Duration stagger = std::chrono::milliseconds(250));
  // resolve() and connect_any().
  static Task<Result<TcpStream>> connect_host(std::string host, uint16_t port);

  // At most the buffer's capacity, from `skip` on (io/stream.h); n == 0: the other side sent its
  // last byte.
  Task<IoResult> read(mem::Buffer buffer, std::size_t skip = 0, std::size_t limit = io::kNoLimit);
  // Leases a buffer when something has come, so a connection that waits holds none: at most `most`
  // bytes of it, and under io_uring at most 4 KiB. Size 0: the other side sent its last byte.
  // Errors: those of read, and of mem::lease (nothing was taken from the stream).
  Task<Result<mem::Buffer>> receive(std::size_t most = 4096);
  // Fills the buffer up to `count` bytes. Errors: OutOfRange/Eof when the stream ends before, with
  // what came in the buffer.
  Task<IoResult> read_exactly(mem::Buffer buffer, std::size_t count);
  // Sends the buffer's bytes from `skip` on, perhaps not all of them.
  Task<IoResult> write(mem::Buffer buffer, std::size_t skip = 0);
  // The same out of the buffer itself, without a copy, where that pays: io_uring of Linux 6.2, 16
  // KiB or more, and a way to the other side on which the kernel need not copy all the same (it
  // says so, and while it mostly does, as on loopback, this is write()). The buffer comes back when
  // the other side has acknowledged, so it is for large transfers; a cancel in between ends it with
  // what was accepted, and a copy. IoSnapshot::zero_copy counts.
  Task<IoResult> write_zero_copy(mem::Buffer buffer, std::size_t skip = 0);
  // Sends all of them. On an error a part may have been sent.
  Task<IoResult> write_all(mem::Buffer buffer);
  // The same for a chain: its pieces go out together, 64 in one call.
  Task<ChainResult> write_all(mem::BufferChain chain);

  // Says that no more will be written; reading goes on.
  Result<void> shutdown_write() noexcept;
  // Ends both directions: what waits on the stream wakes up with the end of the stream.
  Result<void> shutdown() noexcept;
  // Requires: nothing is in flight on it. Not cancellable.
  Task<Result<void>> close();

  Result<Address> local_address() const;
  Result<Address> peer_address() const;
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;  // an open stream that goes out of scope is closed at once
};

}  // namespace zokio::net
