// SPDX-License-Identifier: Apache-2.0
#pragma once

// Connect a socket. Never issued twice: a connect that was cancelled has an unknown outcome, so the
// socket is closed then.

#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "io/ops/transfer.h"

namespace zokio::io {

class ConnectOp final : public Op {
 public:
  // `address` is copied. Requires: size <= sizeof(sockaddr_storage).
  ConnectOp(int fd, const sockaddr* address, socklen_t size) noexcept
      : Op({.kind = OpKind::Connect, .opcode = IORING_OP_CONNECT, .interest = POLLOUT}),
        fd_(fd),
        size_(size) {
    std::memcpy(&address_, address, size);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_CONNECT;
    entry.fd = fd_;
    entry.addr = reinterpret_cast<uintptr_t>(&address_);
    entry.off = size_;
  }
  int64_t attempt() noexcept override {
    if (!started_) {
      started_ = true;
      const int rc = connect(fd_, reinterpret_cast<const sockaddr*>(&address_), size_);
      return rc < 0 && errno == EINPROGRESS ? -EAGAIN : outcome_of(rc);
    }
    // Attempts may come without cause; SO_ERROR says 0 also while it is in progress.
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int n = ::poll(&ready, 1, 0);
    if (n < 0) return -errno;
    if (n == 0) return -EAGAIN;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
    return -error;
  }
  int poll_fd() const noexcept override { return fd_; }

 private:
  int fd_;
  socklen_t size_;
  bool started_ = false;
  sockaddr_storage address_{};
};

}  // namespace zokio::io
