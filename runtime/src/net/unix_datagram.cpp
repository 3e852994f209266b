// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/unix_datagram.h"

#include <algorithm>
#include <cerrno>

#include "io/ops/recvmsg.h"
#include "io/ops/sendmsg.h"
#include "net/socket.h"
#include "zokio/time/sleep.h"

namespace zokio::net {
namespace {

IoResult too_many_fds(mem::Buffer buffer) {
  return {.n = fail(Errc::InvalidArgument, "send"), .buffer = std::move(buffer)};
}

}  // namespace

Result<UnixDatagram> UnixDatagram::unbound() {
  UnixDatagram socket;
  ZOKIO_TRY(socket.fd_, make_socket(AF_UNIX, SOCK_DGRAM));
  return socket;
}

Result<UnixDatagram> UnixDatagram::bind(const UnixAddress& address) {
  ZOKIO_TRY(UnixDatagram socket, unbound());
  if (::bind(socket.fd(), address.data(), address.size()) != 0) return fail_errno(errno, "bind");
  return socket;
}

Result<std::pair<UnixDatagram, UnixDatagram>> UnixDatagram::pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno(errno, "socketpair");
  }
  std::pair<UnixDatagram, UnixDatagram> out;
  out.first.fd_ = os::Fd(ends[0]);
  out.second.fd_ = os::Fd(ends[1]);
  return out;
}

Result<void> UnixDatagram::connect(const UnixAddress& peer) noexcept {
  if (::connect(fd(), peer.data(), peer.size()) != 0) return fail_errno(errno, "connect");
  return {};
}

// Only a connected socket can wait for room in the other's queue: without a peer the kernel calls
// this one writable. Such a send ends at once or says EAGAIN, and is asked again, at first soon.
Task<IoResult> UnixDatagram::send_to(mem::Buffer buffer, UnixAddress to, std::vector<int> fds) {
  constexpr auto kFirst = std::chrono::milliseconds(1);
  constexpr auto kLongest = std::chrono::milliseconds(64);
  if (fds.size() > io::kMaxPassedFds) co_return too_many_fds(std::move(buffer));
  for (Duration wait = kFirst;; wait = std::min<Duration>(wait * 2, kLongest)) {
    io::SendToOp op(fd(), std::move(buffer), 0, to.data(), to.size(), fds);
    const int64_t sent = op.attempt();
    IoResult out = op.take();  // was never started; gives the buffer back
    if (sent >= 0) {
      out.n = static_cast<std::size_t>(sent);
      co_return out;
    }
    if (sent != -EAGAIN) {
      out.n = fail_errno(static_cast<int>(-sent), "send");
      co_return out;
    }
    const auto slept = co_await sleep(wait);
    if (!slept.has_value()) {
      out.n = fail(slept.error());
      co_return out;
    }
    buffer = std::move(out.buffer);
  }
}

Task<IoResult> UnixDatagram::send(mem::Buffer buffer, std::vector<int> fds) {
  if (fds.size() > io::kMaxPassedFds) co_return too_many_fds(std::move(buffer));
  io::SendToOp op(fd(), std::move(buffer), 0, nullptr, 0, fds);
  co_await op;
  co_return op.take();
}

Task<UnixDatagramMessage> UnixDatagram::recv_from(mem::Buffer buffer, std::size_t max_fds) {
  if (buffer.capacity() == 0 || max_fds > io::kMaxPassedFds) {
    co_return UnixDatagramMessage{.n = fail(Errc::InvalidArgument, "recv"),
                                  .buffer = std::move(buffer)};
  }
  io::RecvFromOp op(fd(), std::move(buffer), 0, io::kMaxTransfer, max_fds);
  co_await op;
  UnixDatagramMessage out;
  if (op.result() >= 0) {
    out.fds = op.take_fds();
    out.from = UnixAddress::from_sockaddr(op.address(), op.address_size());
    out.truncated = (op.flags() & MSG_TRUNC) != 0;
    out.fds_truncated = (op.flags() & MSG_CTRUNC) != 0;
  }
  IoResult io = op.take();
  out.n = io.n;
  out.buffer = std::move(io.buffer);
  co_return out;
}

Result<void> UnixDatagram::close() noexcept {
  return close_socket(std::move(fd_));
}

}  // namespace zokio::net
