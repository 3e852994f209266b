// SPDX-License-Identifier: Apache-2.0
#pragma once

// Receive from a stream socket into a buffer that is chosen when something has come: until then the
// operation holds no memory but itself.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "io/ops/transfer.h"

namespace zokio::io {

class ReceiveOp final : public Op {
 public:
  ReceiveOp(int fd, std::size_t most) noexcept
      : Op({.kind = OpKind::Recv,
            .opcode = IORING_OP_RECV,
            .interest = POLLIN,
            .reissue = true,
            .counts_bytes = true,
            .stream = true,
            .picks_buffer = true}),
        fd_(fd),
        most_(std::min(most, kMaxTransfer)) {}

  // After the await. Size 0: the end of the stream.
  Result<mem::Buffer> take() noexcept {
    if (failed_) return fail(*failed_);
    if (result() < 0) return fail(error_of(*this));
    buffer_.resize(static_cast<std::size_t>(result()));
    return std::move(buffer_);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_RECV;
    entry.fd = fd_;
    entry.len = static_cast<uint32_t>(most_);
    entry.flags |= IOSQE_BUFFER_SELECT;  // the engine says which group
  }
  void picked(mem::Buffer buffer) noexcept override { buffer_ = std::move(buffer); }

  // The buffer goes back when nothing has come. Without memory for one the operation ends.
  int64_t attempt() noexcept override {
    Result<mem::Buffer> buffer = mem::lease(most_);
    if (!buffer) {
      failed_ = buffer.error();
      return -ENOMEM;
    }
    const int64_t n = outcome_of(recv(fd_, buffer->data(), most_, MSG_DONTWAIT));
    if (n >= 0) buffer_ = std::move(*buffer);
    return n;
  }
  int poll_fd() const noexcept override { return fd_; }
  bool would_block_next(int64_t result) const noexcept override {
    return result == -EAGAIN || (result > 0 && result < static_cast<int64_t>(most_));
  }

 private:
  int fd_;
  std::size_t most_;
  mem::Buffer buffer_;
  std::optional<Error> failed_;
};

}  // namespace zokio::io
