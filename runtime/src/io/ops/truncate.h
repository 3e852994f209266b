// SPDX-License-Identifier: Apache-2.0
#pragma once

// Set the length of an open file.

#include <linux/io_uring.h>
#include <unistd.h>

#include "io/ops/transfer.h"

namespace zokio::io {

// Newer than the headers of the oldest supported distribution; Linux 6.9.
inline constexpr uint8_t kOpcodeFtruncate = 55;

class TruncateOp final : public Op {
 public:
  TruncateOp(int fd, int64_t length) noexcept
      : Op({.kind = OpKind::Truncate, .opcode = kOpcodeFtruncate}), fd_(fd), length_(length) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = kOpcodeFtruncate;
    entry.fd = fd_;
    entry.off = static_cast<uint64_t>(length_);
  }
  int64_t attempt() noexcept override { return outcome_of(ftruncate(fd_, length_)); }

 private:
  int fd_;
  int64_t length_;
};

}  // namespace zokio::io
