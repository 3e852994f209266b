// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/unix_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "io/ops/recvmsg.h"
#include "io/ops/sendmsg.h"
#include "net/socket.h"
#include "net/socket_io.h"
#include "zokio/time/sleep.h"

namespace zokio::net {

// A connect to a Unix socket ends at once, or says EAGAIN when the backlog is full; nothing in the
// kernel tells when that is over, so it is asked again, at first soon.
Task<Result<UnixStream>> UnixStream::connect(UnixAddress address) {
  constexpr auto kFirst = std::chrono::milliseconds(1);
  constexpr auto kLongest = std::chrono::milliseconds(64);
  ZOKIO_CO_TRY(os::Fd fd, make_socket(AF_UNIX, SOCK_STREAM));
  for (Duration wait = kFirst;; wait = std::min<Duration>(wait * 2, kLongest)) {
    if (::connect(fd.get(), address.data(), address.size()) == 0) {
      co_return UnixStream(std::move(fd));
    }
    if (errno != EAGAIN) co_return fail_errno(errno, "connect");
    ZOKIO_CO_CHECKED(co_await sleep(wait));
  }
}

Result<std::pair<UnixStream, UnixStream>> UnixStream::pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno(errno, "socketpair");
  }
  return std::pair(UnixStream(os::Fd(ends[0])), UnixStream(os::Fd(ends[1])));
}

Task<IoResult> UnixStream::read(mem::Buffer buffer, std::size_t skip, std::size_t limit) {
  return read_socket(fd(), std::move(buffer), skip, limit);
}
Task<IoResult> UnixStream::read_exactly(mem::Buffer buffer, std::size_t count) {
  return read_socket_exactly(fd(), std::move(buffer), count);
}
Task<IoResult> UnixStream::write(mem::Buffer buffer, std::size_t skip) {
  return write_socket(fd(), std::move(buffer), skip);
}
Task<IoResult> UnixStream::write_all(mem::Buffer buffer) {
  return write_socket_all(fd(), std::move(buffer));
}
Task<ChainResult> UnixStream::write_all(mem::BufferChain chain) {
  return write_socket_all(fd(), std::move(chain));
}

Task<IoResult> UnixStream::send_fds(mem::Buffer buffer, std::vector<int> fds) {
  // Without a byte there is nothing that they could travel with.
  if (buffer.size() == 0 || fds.size() > io::kMaxPassedFds) {
    co_return IoResult{.n = fail(Errc::InvalidArgument, "send_fds"), .buffer = std::move(buffer)};
  }
  io::SendToOp op(fd(), std::move(buffer), 0, nullptr, 0, fds);
  co_await op;
  co_return op.take();
}

Task<FdMessage> UnixStream::recv_fds(mem::Buffer buffer, std::size_t max_fds) {
  if (buffer.capacity() == 0 || max_fds > io::kMaxPassedFds) {
    co_return FdMessage{.n = fail(Errc::InvalidArgument, "recv_fds"), .buffer = std::move(buffer)};
  }
  io::RecvFromOp op(fd(), std::move(buffer), 0, io::kMaxTransfer, max_fds);
  co_await op;
  FdMessage out;
  if (op.result() >= 0) {
    out.fds = op.take_fds();
    out.fds_truncated = (op.flags() & MSG_CTRUNC) != 0;
  }
  IoResult io = op.take();
  out.n = io.n;
  out.buffer = std::move(io.buffer);
  co_return out;
}

Result<Credentials> UnixStream::peer_credentials() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return fail_errno(errno, "peer_credentials");
  }
  return Credentials{.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
}

Result<void> UnixStream::shutdown_write() noexcept {
  if (::shutdown(fd(), SHUT_WR) != 0) return fail_errno(errno, "shutdown");
  return {};
}
Result<void> UnixStream::shutdown() noexcept {
  if (::shutdown(fd(), SHUT_RDWR) != 0) return fail_errno(errno, "shutdown");
  return {};
}

Task<Result<void>> UnixStream::close() {
  co_return close_socket(std::move(fd_));
}

}  // namespace zokio::net
