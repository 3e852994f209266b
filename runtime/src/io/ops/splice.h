// SPDX-License-Identifier: Apache-2.0
#pragma once

// Move bytes between a pipe and something else without copying them through this process. Two
// kinds, because they wait for different things: filling a pipe from a file (which ends by itself,
// the pipe being empty), and draining a pipe into a socket (which waits for the other side).

#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>

#include "io/ops/transfer.h"
#include "os/sigpipe.h"

namespace zokio::io {

class SpliceOp final : public Op {
 public:
  // From `file` at `offset` into `pipe`. Requires: the pipe is empty.
  static SpliceOp fill(int file, int64_t offset, int pipe, std::size_t count) noexcept {
    return SpliceOp(file, offset, pipe, count, 0);
  }
  // From `pipe` to `socket`, which is non-blocking. Requires: the pipe holds `count` bytes.
  static SpliceOp drain(int pipe, int socket, std::size_t count) noexcept {
    return SpliceOp(pipe, kNoOffset, socket, count, POLLOUT);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_SPLICE;
    entry.fd = to_;
    entry.off = static_cast<uint64_t>(kNoOffset);
    entry.splice_fd_in = from_;
    entry.splice_off_in = static_cast<uint64_t>(offset_);
    entry.len = static_cast<uint32_t>(count_);
    entry.splice_flags = interest() != 0 ? SPLICE_F_NONBLOCK : 0;
  }
  int64_t attempt() noexcept override {
    loff_t offset = offset_;
    os::SigpipeBlock quiet;  // a socket that is shut down raises it
    return outcome_of(splice(from_, offset_ == kNoOffset ? nullptr : &offset, to_, nullptr, count_,
                             interest() != 0 ? SPLICE_F_NONBLOCK : 0));
  }
  int poll_fd() const noexcept override { return to_; }

 private:
  SpliceOp(int from, int64_t offset, int to, std::size_t count, short interest) noexcept
      : Op({.kind = OpKind::Splice,
            .opcode = IORING_OP_SPLICE,
            .interest = interest,
            .reissue = interest != 0,
            .counts_bytes = true}),
        from_(from),
        to_(to),
        offset_(offset),
        count_(count) {}

  int from_;
  int to_;
  int64_t offset_;
  std::size_t count_;
};

}  // namespace zokio::io
