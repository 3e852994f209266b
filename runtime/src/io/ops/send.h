// SPDX-License-Identifier: Apache-2.0
#pragma once

// Send to a socket. May send less than asked for.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class SendOp final : public TransferOp {
 public:
  // Sends the bytes of `buffer` from `skip` on.
  SendOp(int fd, mem::Buffer buffer, std::size_t skip = 0) noexcept
      : TransferOp({.kind = OpKind::Send,
                    .opcode = IORING_OP_SEND,
                    .interest = POLLOUT,
                    .reissue = true,
                    .counts_bytes = true,
                    .stream = true},
                   fd, std::move(buffer), false, skip) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_SEND;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(data());
    entry.len = static_cast<uint32_t>(length());
    entry.msg_flags = MSG_NOSIGNAL;
  }
  int64_t attempt() noexcept override {
    return outcome_of(send(fd(), data(), length(), MSG_DONTWAIT | MSG_NOSIGNAL));
  }
};

}  // namespace zokio::io
