// SPDX-License-Identifier: Apache-2.0
#pragma once

// Receive from a socket.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class RecvOp final : public TransferOp {
 public:
  // Receives into `buffer` from `skip` on, at most `limit` bytes.
  RecvOp(int fd, mem::Buffer buffer, std::size_t skip = 0,
         std::size_t limit = kMaxTransfer) noexcept
      : TransferOp({.kind = OpKind::Recv,
                    .opcode = IORING_OP_RECV,
                    .interest = POLLIN,
                    .reissue = true,
                    .counts_bytes = true,
                    .stream = true},
                   fd, std::move(buffer), true, skip, limit) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_RECV;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(data());
    entry.len = static_cast<uint32_t>(length());
  }
  int64_t attempt() noexcept override {
    return outcome_of(recv(fd(), data(), length(), MSG_DONTWAIT));
  }
};

}  // namespace zokio::io
