// SPDX-License-Identifier: Apache-2.0
#pragma once

// Close a descriptor. Not cancellable: the descriptor is the operation's from here on, and if the
// runtime is stopping and refuses it, its destructor closes.

#include <linux/io_uring.h>
#include <unistd.h>

#include "io/ops/transfer.h"
#include "os/fd_generation.h"
#include "zokio/os/fd.h"

namespace zokio::io {

class CloseOp final : public Op {
 public:
  explicit CloseOp(os::Fd fd) noexcept
      : Op({.kind = OpKind::Close, .opcode = IORING_OP_CLOSE, .cancellable = false}),
        fd_(std::move(fd)) {
    os::fd_changes_hands(fd_.get());  // before the kernel may give the number to another
  }
  ~CloseOp() override {
    // After any other result the number is free, and perhaps somebody else's.
    if (result() != -ECANCELED) static_cast<void>(fd_.release());
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_CLOSE;
    entry.fd = fd_.get();
  }
  int64_t attempt() noexcept override { return outcome_of(close(fd_.get())); }

 private:
  os::Fd fd_;
};

}  // namespace zokio::io
