// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/unix_listener.h"

#include <cerrno>

#include "io/ops/accept.h"
#include "net/accept_pause.h"
#include "net/socket.h"
#include "zokio/time/sleep.h"

namespace zokio::net {

Result<UnixListener> UnixListener::bind(const UnixAddress& address, int backlog) {
  UnixListener listener;
  ZOKIO_TRY(listener.fd_, make_socket(AF_UNIX, SOCK_STREAM));
  if (::bind(listener.fd(), address.data(), address.size()) != 0) return fail_errno(errno, "bind");
  if (listen(listener.fd(), backlog) != 0) return fail_errno(errno, "listen");
  return listener;
}

Task<Result<UnixStream>> UnixListener::accept() {
  for (AcceptPause pause;;) {
    io::AcceptOp op(fd());
    co_await op;
    if (op.result() >= 0) co_return UnixStream(os::Fd(static_cast<int>(op.result())));
    if (!AcceptPause::worth(op.result())) co_return fail(io::error_of(op));
    ZOKIO_CO_CHECKED(co_await sleep(pause.next(op.result())));
  }
}

Result<void> UnixListener::close() noexcept {
  return close_socket(std::move(fd_));
}

}  // namespace zokio::net
