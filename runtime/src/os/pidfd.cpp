// SPDX-License-Identifier: Apache-2.0
#include "os/pidfd.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace zokio::os {

Result<Fd> open_pidfd(pid_t pid) {
  Fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return fail_errno(errno, "pidfd_open");
  return fd;
}

Result<void> signal_pidfd(int pidfd, int signal) noexcept {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) != 0) {
    return fail_errno(errno, "pidfd_send_signal");
  }
  return {};
}

Result<bool> reap_pidfd(int pidfd, bool block, siginfo_t& info) noexcept {
  int rc;
  do {
    info = {};
    rc = waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | (block ? 0 : WNOHANG));
  } while (rc != 0 && errno == EINTR);
  if (rc != 0) return fail_errno(errno, "waitid");
  return info.si_pid != 0;
}

}  // namespace zokio::os
