// SPDX-License-Identifier: Apache-2.0
#pragma once

// Give a file its room on the disk before it is written, or punch a hole.

#include <fcntl.h>
#include <linux/io_uring.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class FallocateOp final : public Op {
 public:
  // `mode`: 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, ...
  FallocateOp(int fd, int mode, int64_t offset, int64_t length) noexcept
      : Op({.kind = OpKind::Fallocate, .opcode = IORING_OP_FALLOCATE}),
        fd_(fd),
        mode_(mode),
        offset_(offset),
        length_(length) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_FALLOCATE;
    entry.fd = fd_;
    entry.off = static_cast<uint64_t>(offset_);
    entry.addr = static_cast<uint64_t>(length_);
    entry.len = static_cast<uint32_t>(mode_);
  }
  int64_t attempt() noexcept override {
    return outcome_of(fallocate(fd_, mode_, offset_, length_));
  }

 private:
  int fd_;
  int mode_;
  int64_t offset_;
  int64_t length_;
};

}  // namespace zokio::io
