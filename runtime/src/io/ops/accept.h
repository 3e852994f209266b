// SPDX-License-Identifier: Apache-2.0
#pragma once

// Accept a connection. The result is a new descriptor, non-blocking and close-on-exec.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class AcceptOp final : public Op {
 public:
  explicit AcceptOp(int fd) noexcept
      : Op({.kind = OpKind::Accept,
            .opcode = IORING_OP_ACCEPT,
            .interest = POLLIN,
            .reissue = true}),
        fd_(fd) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_ACCEPT;
    entry.fd = fd_;
    entry.accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  }
  int64_t attempt() noexcept override {
    return outcome_of(accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }
  int poll_fd() const noexcept override { return fd_; }

 private:
  int fd_;
};

}  // namespace zokio::io
