// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/tcp_listener.h"

#include <cerrno>

#include "io/ops/accept.h"
#include "net/accept_pause.h"
#include "net/socket.h"
#include "zokio/net/socket_options.h"
#include "zokio/time/sleep.h"

namespace zokio::net {

Result<TcpListener> TcpListener::bind(Address address, ListenOptions options) {
  TcpListener listener;
  ZOKIO_TRY(listener.fd_, make_socket(address.family(), SOCK_STREAM));
  const int on = 1;
  const int fd = listener.fd();
  // Otherwise a restart has to wait until the old connections are forgotten.
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return fail_errno(errno, "setsockopt");
  }
  if (options.reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return fail_errno(errno, "setsockopt");
  }
  const int only_v6 = options.only_v6;
  if (address.family() == AF_INET6 &&
      setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) != 0) {
    return fail_errno(errno, "setsockopt");
  }
  if (::bind(fd, address.data(), address.size()) != 0) return fail_errno(errno, "bind");
  if (listen(fd, options.backlog) != 0) return fail_errno(errno, "listen");
  return listener;
}

Task<Result<TcpStream>> TcpListener::accept() {
  for (AcceptPause pause;;) {
    io::AcceptOp op(fd());
    co_await op;
    if (op.result() >= 0) {
      os::Fd accepted(static_cast<int>(op.result()));
      static_cast<void>(set_no_delay(accepted.get(), true));  // its failure does no harm
      co_return TcpStream(std::move(accepted));
    }
    if (!AcceptPause::worth(op.result())) co_return fail(io::error_of(op));
    ZOKIO_CO_CHECKED(co_await sleep(pause.next(op.result())));
  }
}

Result<Address> TcpListener::local_address() const {
  return local_address_of(fd());
}

Task<Result<void>> TcpListener::close() {
  co_return close_socket(std::move(fd_));
}

}  // namespace zokio::net
