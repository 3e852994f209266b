// SPDX-License-Identifier: Apache-2.0
#pragma once

// Read a file at a position, or a pipe.

#include <linux/io_uring.h>
#include <poll.h>
#include <unistd.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class ReadOp final : public TransferOp {
 public:
  // `offset` kNoOffset: a stream that may make the reader wait, and is non-blocking.
  // Reads into `buffer` from `skip` on, at most `limit` bytes.
  ReadOp(int fd, mem::Buffer buffer, int64_t offset, std::size_t skip = 0,
         std::size_t limit = kMaxTransfer) noexcept
      : TransferOp({.kind = OpKind::Read, .opcode = IORING_OP_READ, .counts_bytes = true}, fd,
                   std::move(buffer), true, skip, limit),
        offset_(offset) {
    if (offset == kNoOffset) set_interest(POLLIN, true);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_READ;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(data());
    entry.len = static_cast<uint32_t>(length());
    entry.off = static_cast<uint64_t>(offset_);
  }
  int64_t attempt() noexcept override {
    return outcome_of(offset_ == kNoOffset ? read(fd(), data(), length())
                                           : pread(fd(), data(), length(), offset_));
  }

 private:
  int64_t offset_;
};

}  // namespace zokio::io
