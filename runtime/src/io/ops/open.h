// SPDX-License-Identifier: Apache-2.0
#pragma once

// Open a file by openat2. The result is a new descriptor.

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "io/ops/transfer.h"

namespace zokio::io {

class OpenOp final : public Op {
 public:
  // `directory` may be AT_FDCWD. O_CLOEXEC is added. `resolve`: RESOLVE_BENEATH, ...
  OpenOp(int directory, std::string path, int flags, unsigned mode, uint64_t resolve) noexcept
      : Op({.kind = OpKind::Open, .opcode = IORING_OP_OPENAT2}),
        directory_(directory),
        path_(std::move(path)),
        how_{.flags = static_cast<uint64_t>(flags | O_CLOEXEC), .mode = mode, .resolve = resolve} {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_OPENAT2;
    entry.fd = directory_;
    entry.addr = reinterpret_cast<uintptr_t>(path_.c_str());
    entry.len = sizeof how_;
    entry.off = reinterpret_cast<uintptr_t>(&how_);
  }
  int64_t attempt() noexcept override {
    // EAGAIN: a rename elsewhere kept the kernel from proving that the path stays beneath.
    int64_t result = -EAGAIN;
    for (int tries = 0; result == -EAGAIN && tries < 32; ++tries) {
      result = outcome_of(syscall(SYS_openat2, directory_, path_.c_str(), &how_, sizeof how_));
    }
    return result;
  }

 private:
  int directory_;
  std::string path_;
  open_how how_;
};

}  // namespace zokio::io
