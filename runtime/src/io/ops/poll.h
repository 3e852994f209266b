// SPDX-License-Identifier: Apache-2.0
#pragma once

// Wait until a descriptor is ready. The result is the mask of events.

#include <linux/io_uring.h>
#include <poll.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class PollOp final : public Op {
 public:
  // `events`: POLLIN, POLLOUT, POLLPRI.
  PollOp(int fd, short events) noexcept
      : Op({.kind = OpKind::Poll,
            .opcode = IORING_OP_POLL_ADD,
            .interest = events,
            .reissue = true}),
        fd_(fd) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_POLL_ADD;
    entry.fd = fd_;
    entry.poll32_events = static_cast<unsigned short>(interest());
  }
  int64_t attempt() noexcept override {
    pollfd ready{.fd = fd_, .events = interest(), .revents = 0};
    const int n = ::poll(&ready, 1, 0);
    if (n < 0) return -errno;
    if (n == 0) return -EAGAIN;
    return (ready.revents & POLLNVAL) != 0 ? -EBADF : ready.revents;
  }
  int poll_fd() const noexcept override { return fd_; }

 private:
  int fd_;
};

}  // namespace zokio::io
