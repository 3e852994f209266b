// SPDX-License-Identifier: Apache-2.0
#pragma once

// Write a file at a position, or a pipe.

#include <linux/io_uring.h>
#include <poll.h>
#include <unistd.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class WriteOp final : public TransferOp {
 public:
  // Writes the bytes of `buffer` from `skip` on. `offset` kNoOffset: a stream.
  WriteOp(int fd, mem::Buffer buffer, int64_t offset, std::size_t skip = 0) noexcept
      : TransferOp({.kind = OpKind::Write, .opcode = IORING_OP_WRITE, .counts_bytes = true}, fd,
                   std::move(buffer), false, skip),
        offset_(offset) {
    if (offset == kNoOffset) set_interest(POLLOUT, true);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_WRITE;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(data());
    entry.len = static_cast<uint32_t>(length());
    entry.off = static_cast<uint64_t>(offset_);
  }
  int64_t attempt() noexcept override {
    return outcome_of(offset_ == kNoOffset ? write(fd(), data(), length())
                                           : pwrite(fd(), data(), length(), offset_));
  }

 private:
  int64_t offset_;
};

}  // namespace zokio::io
