// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/unix_listener.h"

#include <cerrno>

#include "io/ops/accept.h"
#include "net/socket.h"

namespace zokio::net {

Result<UnixListener> UnixListener::bind(const UnixAddress& address, int backlog) {
  UnixListener listener;
  ZOKIO_TRY(listener.fd_, make_socket(AF_UNIX, SOCK_STREAM));
  if (::bind(listener.fd(), address.data(), address.size()) != 0) return fail_errno(errno, "bind");
  if (listen(listener.fd(), backlog) != 0) return fail_errno(errno, "listen");
  return listener;
}

Task<Result<UnixStream>> UnixListener::accept() {
  io::AcceptOp op(fd());
  co_await op;
  if (op.result() < 0) co_return fail(io::error_of(op));
  co_return UnixStream(os::Fd(static_cast<int>(op.result())));
}

Result<void> UnixListener::close() noexcept {
  return close_socket(std::move(fd_));
}

}  // namespace zokio::net
