// SPDX-License-Identifier: Apache-2.0
#pragma once

// The attributes of a file, by descriptor or by path.

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/stat.h>

#include <string>

#include "io/ops/transfer.h"

namespace zokio::io {

class StatxOp final : public Op {
 public:
  // An empty path is the descriptor itself. A symbolic link at the end is followed or not.
  StatxOp(int directory, std::string path, bool follow, unsigned mask = STATX_BASIC_STATS) noexcept
      : Op({.kind = OpKind::Statx, .opcode = IORING_OP_STATX}),
        directory_(directory),
        path_(std::move(path)),
        flags_((path_.empty() ? AT_EMPTY_PATH : 0) | (follow ? 0 : AT_SYMLINK_NOFOLLOW)),
        mask_(mask) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_STATX;
    entry.fd = directory_;
    entry.addr = reinterpret_cast<uintptr_t>(path_.c_str());
    entry.len = mask_;
    entry.off = reinterpret_cast<uintptr_t>(&attributes_);
    entry.statx_flags = static_cast<uint32_t>(flags_);
  }
  int64_t attempt() noexcept override {
    return outcome_of(statx(directory_, path_.c_str(), flags_, mask_, &attributes_));
  }

  // Requires: result() >= 0.
  const struct statx& attributes() const noexcept { return attributes_; }

 private:
  int directory_;
  std::string path_;
  int flags_;
  unsigned mask_;
  struct statx attributes_{};
};

}  // namespace zokio::io
