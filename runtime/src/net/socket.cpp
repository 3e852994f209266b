// SPDX-License-Identifier: Apache-2.0
#include "net/socket.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace zokio::net {

Result<os::Fd> make_tcp_socket(int family) {
  os::Fd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return fail_errno(errno, "socket");
  return fd;
}

void set_no_delay(int fd) noexcept {
  const int on = 1;
  static_cast<void>(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

Result<void> close_socket(os::Fd fd) noexcept {
  if (!fd) return fail(Errc::FailedPrecondition, "close", Detail::Closed);
  // The number is free also after an error.
  if (::close(fd.release()) != 0) return fail_errno(errno, "close");
  return {};
}

Result<Address> local_address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return fail_errno(errno, "getsockname");
  }
  return Address::from_sockaddr(storage);
}

Result<Address> peer_address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return fail_errno(errno, "getpeername");
  }
  return Address::from_sockaddr(storage);
}

}  // namespace zokio::net
