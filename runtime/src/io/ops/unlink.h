// SPDX-License-Identifier: Apache-2.0
#pragma once

// Remove a name: of a file, or of an empty directory.

#include <fcntl.h>
#include <linux/io_uring.h>
#include <unistd.h>

#include <string>

#include "io/ops/transfer.h"

namespace zokio::io {

class UnlinkOp final : public Op {
 public:
  UnlinkOp(int directory, std::string path, bool is_directory) noexcept
      : Op({.kind = OpKind::Unlink, .opcode = IORING_OP_UNLINKAT}),
        directory_(directory),
        path_(std::move(path)),
        flags_(is_directory ? AT_REMOVEDIR : 0) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_UNLINKAT;
    entry.fd = directory_;
    entry.addr = reinterpret_cast<uintptr_t>(path_.c_str());
    entry.unlink_flags = static_cast<uint32_t>(flags_);
  }
  int64_t attempt() noexcept override {
    return outcome_of(unlinkat(directory_, path_.c_str(), flags_));
  }

 private:
  int directory_;
  std::string path_;
  int flags_;
};

}  // namespace zokio::io
