// SPDX-License-Identifier: Apache-2.0
#pragma once

// One read into several buffers: of a file at a position, or of a pipe. The buffers belong to the
// operation until its completion. (Writes of several pieces: gather.h.)

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <vector>

#include "io/ops/transfer.h"

namespace zokio::io {

// What one call takes (UIO_MAXIOV); more buffers make it a short transfer.
inline constexpr std::size_t kMaxVectors = 1024;

class ReadvOp final : public Op {
 public:
  // Fills all of each buffer's capacity. `offset` kNoOffset: a stream, as in ReadOp.
  ReadvOp(int fd, std::vector<mem::Buffer> buffers, int64_t offset)
      : Op({.kind = OpKind::Read, .opcode = IORING_OP_READV, .counts_bytes = true}),
        fd_(fd),
        offset_(offset),
        buffers_(std::move(buffers)) {
    if (offset == kNoOffset) set_interest(POLLIN, true);
    const std::size_t count = std::min(buffers_.size(), kMaxVectors);
    vectors_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      vectors_.push_back({.iov_base = buffers_[i].data(), .iov_len = buffers_[i].capacity()});
    }
  }

  // After the await: the count and the buffers with their sizes.
  VectorResult take() noexcept {
    if (result() < 0) return {.n = fail(error_of(*this)), .buffers = std::move(buffers_)};
    const auto n = static_cast<std::size_t>(result());
    std::size_t left = n;
    for (mem::Buffer& buffer : buffers_) {
      buffer.resize(std::min(left, buffer.capacity()));
      left -= buffer.size();
    }
    return {.n = n, .buffers = std::move(buffers_)};
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_READV;
    entry.fd = fd_;
    entry.addr = reinterpret_cast<uintptr_t>(vectors_.data());
    entry.len = static_cast<uint32_t>(vectors_.size());
    entry.off = static_cast<uint64_t>(offset_);
  }
  int64_t attempt() noexcept override {
    const int n = static_cast<int>(vectors_.size());
    return outcome_of(offset_ == kNoOffset ? readv(fd_, vectors_.data(), n)
                                           : preadv(fd_, vectors_.data(), n, offset_));
  }
  int poll_fd() const noexcept override { return fd_; }

 private:
  int fd_;
  int64_t offset_;
  std::vector<mem::Buffer> buffers_;
  std::vector<iovec> vectors_;
};

}  // namespace zokio::io
