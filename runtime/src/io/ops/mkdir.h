// SPDX-License-Identifier: Apache-2.0
#pragma once

// Make one directory.

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/stat.h>

#include <string>

#include "io/ops/transfer.h"

namespace zokio::io {

class MkdirOp final : public Op {
 public:
  MkdirOp(int directory, std::string path, unsigned mode) noexcept
      : Op({.kind = OpKind::Mkdir, .opcode = IORING_OP_MKDIRAT}),
        directory_(directory),
        path_(std::move(path)),
        mode_(mode) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_MKDIRAT;
    entry.fd = directory_;
    entry.addr = reinterpret_cast<uintptr_t>(path_.c_str());
    entry.len = mode_;
  }
  int64_t attempt() noexcept override {
    return outcome_of(mkdirat(directory_, path_.c_str(), mode_));
  }

 private:
  int directory_;
  std::string path_;
  unsigned mode_;
};

}  // namespace zokio::io
