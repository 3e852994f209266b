// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/systemd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>

namespace zokiod::lifecycle {

using zokio::Errc;

Notifier::Notifier() : connected_(std::getenv("NOTIFY_SOCKET") != nullptr) {
  uint64_t usec = 0;
  if (sd_watchdog_enabled(0, &usec) > 0)
    watchdog_interval_ = std::chrono::microseconds(static_cast<int64_t>(usec));
}

// A message that does not arrive is systemd's loss: nothing here depends on it.
void Notifier::ready(const std::string& status) {
  sd_notifyf(0, "READY=1\nSTATUS=%s", status.c_str());
}
void Notifier::status(const std::string& text) {
  sd_notifyf(0, "STATUS=%s", text.c_str());
}
void Notifier::stopping(const std::string& text) {
  sd_notifyf(0, "STOPPING=1\nSTATUS=%s", text.c_str());
}
void Notifier::extend_timeout(zokio::Duration by) {
  sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld", static_cast<long long>(by.count() / 1000));
}
void Notifier::watchdog() {
  sd_notify(0, "WATCHDOG=1");
}

zokio::Result<int> take_listening_socket() {
  // 1: the variables go, so that no child takes them for its own.
  const int count = sd_listen_fds(1);
  if (count < 0) return zokio::fail_errno(-count, "socket activation");
  if (count == 0) return -1;
  if (count > 1)
    return zokio::fail(Errc::FailedPrecondition, "socket activation: one socket wanted");
  const int fd = SD_LISTEN_FDS_START;
  if (sd_is_socket_unix(fd, SOCK_STREAM, 1, nullptr, 0) <= 0)
    return zokio::fail(Errc::FailedPrecondition, "socket activation: want a listening unix socket");
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return zokio::fail_errno(errno, "socket activation");
  return fd;
}

}  // namespace zokiod::lifecycle
