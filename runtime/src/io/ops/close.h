// SPDX-License-Identifier: Apache-2.0
#pragma once

// Close a descriptor. Not cancellable: the descriptor is the operation's from here on.

#include <linux/io_uring.h>
#include <unistd.h>

#include "io/ops/transfer.h"
#include "zokio/os/fd.h"

namespace zokio::io {

class CloseOp final : public Op {
 public:
  explicit CloseOp(os::Fd fd) noexcept
      : Op({.kind = OpKind::Close, .opcode = IORING_OP_CLOSE, .cancellable = false}),
        fd_(fd.release()) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_CLOSE;
    entry.fd = fd_;
  }
  int64_t attempt() noexcept override { return outcome_of(close(fd_)); }

 private:
  int fd_;
};

}  // namespace zokio::io
