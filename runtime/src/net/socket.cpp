// SPDX-License-Identifier: Apache-2.0
#include "net/socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace zokio::net {

Result<os::Fd> make_socket(int family, int type) {
  os::Fd fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  return fd;
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
