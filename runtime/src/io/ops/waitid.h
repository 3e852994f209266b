// SPDX-License-Identifier: Apache-2.0
#pragma once

// Wait for the end of a child, named by its pidfd. Needs no SIGCHLD. It stays a zombie: reaped in
// the kernel, its number could name another process before anybody here knows. Linux 6.7; before
// that the caller polls the pidfd (Driver::native says which).

#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "io/ops/transfer.h"

namespace zokio::io {

// Newer than the headers of the oldest supported distribution.
inline constexpr uint8_t kOpcodeWaitid = 50;

class WaitIdOp final : public Op {
 public:
  explicit WaitIdOp(int pidfd) noexcept
      : Op({.kind = OpKind::WaitId, .opcode = kOpcodeWaitid, .interest = POLLIN, .reissue = true}),
        pidfd_(pidfd) {}

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = kOpcodeWaitid;
    entry.fd = pidfd_;
    entry.len = P_PIDFD;
    entry.off = reinterpret_cast<uintptr_t>(&info_);
    entry.file_index = WEXITED | WNOWAIT;
  }
  int64_t attempt() noexcept override {
    info_ = {};
    const int rc = waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info_, WEXITED | WNOWAIT | WNOHANG);
    if (rc != 0) return -errno;
    return info_.si_pid != 0 ? 0 : -EAGAIN;
  }
  int poll_fd() const noexcept override { return pidfd_; }

  // Requires: result() == 0.
  const siginfo_t& info() const noexcept { return info_; }

 private:
  int pidfd_;
  siginfo_t info_{};
};

}  // namespace zokio::io
