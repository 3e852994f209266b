// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>

namespace zokio::net {
namespace {

template <class T>
Result<void> set(int fd, int level, int name, const T& value, const char* where) noexcept {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0) return fail_errno(errno, where);
  return {};
}

Result<void> set_size(int fd, int name, std::size_t bytes, const char* where) noexcept {
  if (bytes > INT_MAX / 2) return fail(Errc::InvalidArgument, where);
  return set(fd, SOL_SOCKET, name, static_cast<int>(bytes), where);
}

}  // namespace

Result<void> set_keep_alive(int fd, const KeepAlive& how) noexcept {
  const char* where = "keep_alive";
  if (how.idle.count() > INT16_MAX || how.interval.count() > INT16_MAX) {
    return fail(Errc::InvalidArgument, where);
  }
  ZOKIO_CHECKED(set(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(how.idle.count()), where));
  ZOKIO_CHECKED(set(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(how.interval.count()), where));
  ZOKIO_CHECKED(set(fd, IPPROTO_TCP, TCP_KEEPCNT, how.probes, where));
  return set(fd, SOL_SOCKET, SO_KEEPALIVE, 1, where);
}

Result<void> clear_keep_alive(int fd) noexcept {
  return set(fd, SOL_SOCKET, SO_KEEPALIVE, 0, "keep_alive");
}

Result<void> set_no_delay(int fd, bool on) noexcept {
  return set(fd, IPPROTO_TCP, TCP_NODELAY, int{on}, "no_delay");
}

Result<void> set_user_timeout(int fd, std::chrono::milliseconds timeout) noexcept {
  if (timeout.count() < 0 || timeout.count() > INT_MAX) {
    return fail(Errc::InvalidArgument, "user_timeout");
  }
  return set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<unsigned>(timeout.count()),
             "user_timeout");
}

Result<void> set_reset_on_close(int fd, bool on) noexcept {
  return set(fd, SOL_SOCKET, SO_LINGER, linger{.l_onoff = on, .l_linger = 0}, "reset_on_close");
}

Result<void> set_receive_buffer(int fd, std::size_t bytes) noexcept {
  return set_size(fd, SO_RCVBUF, bytes, "receive_buffer");
}
Result<void> set_send_buffer(int fd, std::size_t bytes) noexcept {
  return set_size(fd, SO_SNDBUF, bytes, "send_buffer");
}

Result<void> set_broadcast(int fd, bool on) noexcept {
  return set(fd, SOL_SOCKET, SO_BROADCAST, int{on}, "broadcast");
}

}  // namespace zokio::net
