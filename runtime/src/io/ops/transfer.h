// SPDX-License-Identifier: Apache-2.0
#pragma once

// What reads and writes share: a buffer that belongs to the operation until its completion.

#include <cerrno>

#include "io/op.h"
#include "zokio/io/io_result.h"

namespace zokio::io {

// Of streams: no position.
inline constexpr int64_t kNoOffset = -1;

// One call moves at most this much, as in the kernel (MAX_RW_COUNT); the count says how much it
// was.
inline constexpr std::size_t kMaxTransfer = 0x7ffff000;

// What a system call returned, as a completion reports it.
inline int64_t outcome_of(int64_t rc) noexcept {
  return rc < 0 ? -errno : rc;
}

// A read into nothing would look like the end of the stream.
inline IoResult no_room(mem::Buffer buffer, const char* where) noexcept {
  return {.n = fail(Errc::InvalidArgument, where), .buffer = std::move(buffer)};
}

// After the await. The error of a negative result.
inline Error error_of(const Op& op) noexcept {
  return Error::from_errno(static_cast<int>(-op.result()), op_name(op.kind()));
}

class TransferOp : public Op {
 public:
  // After the await: the count and the buffer. A read also sets the buffer's size.
  IoResult take() noexcept {
    if (result() < 0) return {.n = fail(error_of(*this)), .buffer = std::move(buffer_)};
    const auto n = static_cast<std::size_t>(result());
    if (fills_) buffer_.resize(skip_ + n);
    return {.n = n, .buffer = std::move(buffer_)};
  }

 protected:
  // Fills: reads into [skip, capacity), at most `limit` bytes. Otherwise: writes [skip, size).
  TransferOp(OpTraits traits, int fd, mem::Buffer buffer, bool fills, std::size_t skip,
             std::size_t limit = kMaxTransfer) noexcept
      : Op(traits),
        fd_(fd),
        buffer_(std::move(buffer)),
        fills_(fills),
        skip_(skip),
        limit_(limit < kMaxTransfer ? limit : kMaxTransfer) {}

  bool would_block_next(int64_t result) const noexcept override {
    return result == -EAGAIN ||
           (traits().stream && result > 0 && result < static_cast<int64_t>(length()));
  }

  int fd() const noexcept { return fd_; }
  mem::Buffer& buffer() noexcept { return buffer_; }
  std::byte* data() noexcept { return buffer_.data() + skip_; }
  std::size_t length() const noexcept {
    const std::size_t n = (fills_ ? buffer_.capacity() : buffer_.size()) - skip_;
    return n < limit_ ? n : limit_;
  }
  int poll_fd() const noexcept override { return fd_; }

 private:
  int fd_;
  mem::Buffer buffer_;
  bool fills_;
  std::size_t skip_;
  std::size_t limit_;
};

}  // namespace zokio::io
