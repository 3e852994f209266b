// SPDX-License-Identifier: Apache-2.0
#pragma once

// Make a file's content durable, or that of a directory.

#include <linux/io_uring.h>
#include <unistd.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class FsyncOp final : public Op {
 public:
  // `data_only`: without times and other attributes that reading the file does not need.
  FsyncOp(int fd, bool data_only) noexcept
      : Op({.kind = OpKind::Fsync, .opcode = IORING_OP_FSYNC}), fd_(fd), data_only_(data_only) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_FSYNC;
    entry.fd = fd_;
    entry.fsync_flags = data_only_ ? IORING_FSYNC_DATASYNC : 0;
  }
  int64_t attempt() noexcept override {
    return outcome_of(data_only_ ? fdatasync(fd_) : fsync(fd_));
  }

 private:
  int fd_;
  bool data_only_;
};

}  // namespace zokio::io
