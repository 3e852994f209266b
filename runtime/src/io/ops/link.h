// SPDX-License-Identifier: Apache-2.0
#pragma once

// Make a name: another one of a file, or a symbolic link.

#include <fcntl.h>
#include <linux/io_uring.h>
#include <unistd.h>

#include <string>

#include "io/ops/transfer.h"

namespace zokio::io {

class LinkOp final : public Op {
 public:
  // `flags`: AT_SYMLINK_FOLLOW or 0.
  LinkOp(int from_directory, std::string from, int to_directory, std::string to, int flags) noexcept
      : Op({.kind = OpKind::Link, .opcode = IORING_OP_LINKAT}),
        from_directory_(from_directory),
        to_directory_(to_directory),
        from_(std::move(from)),
        to_(std::move(to)),
        flags_(flags) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_LINKAT;
    entry.fd = from_directory_;
    entry.addr = reinterpret_cast<uintptr_t>(from_.c_str());
    entry.len = static_cast<uint32_t>(to_directory_);
    entry.off = reinterpret_cast<uintptr_t>(to_.c_str());
    entry.hardlink_flags = static_cast<uint32_t>(flags_);
  }
  int64_t attempt() noexcept override {
    return outcome_of(linkat(from_directory_, from_.c_str(), to_directory_, to_.c_str(), flags_));
  }

 private:
  int from_directory_;
  int to_directory_;
  std::string from_;
  std::string to_;
  int flags_;
};

class SymlinkOp final : public Op {
 public:
  SymlinkOp(std::string target, int directory, std::string path) noexcept
      : Op({.kind = OpKind::Link, .opcode = IORING_OP_SYMLINKAT}),
        target_(std::move(target)),
        directory_(directory),
        path_(std::move(path)) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_SYMLINKAT;
    entry.fd = directory_;
    entry.addr = reinterpret_cast<uintptr_t>(target_.c_str());
    entry.off = reinterpret_cast<uintptr_t>(path_.c_str());
  }
  int64_t attempt() noexcept override {
    return outcome_of(symlinkat(target_.c_str(), directory_, path_.c_str()));
  }

 private:
  std::string target_;
  int directory_;
  std::string path_;
};

}  // namespace zokio::io
