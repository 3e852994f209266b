// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rename within a file system; replaces an existing target unless told otherwise.

#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>

#include <string>

#include "io/ops/transfer.h"

namespace zokio::io {

class RenameOp final : public Op {
 public:
  // `flags`: RENAME_NOREPLACE or 0.
  RenameOp(int from_directory, std::string from, int to_directory, std::string to,
           unsigned flags) noexcept
      : Op({.kind = OpKind::Rename, .opcode = IORING_OP_RENAMEAT}),
        from_directory_(from_directory),
        to_directory_(to_directory),
        from_(std::move(from)),
        to_(std::move(to)),
        flags_(flags) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_RENAMEAT;
    entry.fd = from_directory_;
    entry.addr = reinterpret_cast<uintptr_t>(from_.c_str());
    entry.len = static_cast<uint32_t>(to_directory_);
    entry.off = reinterpret_cast<uintptr_t>(to_.c_str());
    entry.rename_flags = flags_;
  }
  int64_t attempt() noexcept override {
    return outcome_of(
        renameat2(from_directory_, from_.c_str(), to_directory_, to_.c_str(), flags_));
  }

 private:
  int from_directory_;
  int to_directory_;
  std::string from_;
  std::string to_;
  unsigned flags_;
};

}  // namespace zokio::io
