// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/udp_socket.h"

#include <cerrno>

#include "io/ops/recvmsg.h"
#include "io/ops/sendmsg.h"
#include "net/socket.h"

namespace zokio::net {

Result<UdpSocket> UdpSocket::bind(Address address) {
  UdpSocket socket;
  ZOKIO_TRY(socket.fd_, make_socket(address.family(), SOCK_DGRAM));
  if (::bind(socket.fd(), address.data(), address.size()) != 0) return fail_errno(errno, "bind");
  return socket;
}

Result<void> UdpSocket::connect(Address peer) noexcept {
  if (::connect(fd(), peer.data(), peer.size()) != 0) return fail_errno(errno, "connect");
  return {};
}

Task<IoResult> UdpSocket::send_to(mem::Buffer buffer, Address to) {
  io::SendToOp op(fd(), std::move(buffer), 0, to.data(), to.size());
  co_await op;
  co_return op.take();
}

Task<Datagram> UdpSocket::recv_from(mem::Buffer buffer) {
  if (buffer.capacity() == 0) {
    co_return Datagram{.n = fail(Errc::InvalidArgument, "recv"), .buffer = std::move(buffer)};
  }
  io::RecvFromOp op(fd(), std::move(buffer), 0, io::kMaxTransfer, 0);
  co_await op;
  Datagram out;
  if (op.result() >= 0) {
    out.truncated = (op.flags() & MSG_TRUNC) != 0;
    if (auto from = Address::from_sockaddr(op.address())) out.from = *from;
  }
  IoResult io = op.take();
  out.n = io.n;
  out.buffer = std::move(io.buffer);
  co_return out;
}

Task<IoResult> UdpSocket::send(mem::Buffer buffer) {
  io::SendToOp op(fd(), std::move(buffer), 0, nullptr, 0);
  co_await op;
  co_return op.take();
}

Task<IoResult> UdpSocket::recv(mem::Buffer buffer) {
  if (buffer.capacity() == 0) co_return io::no_room(std::move(buffer), "recv");
  io::RecvFromOp op(fd(), std::move(buffer), 0, io::kMaxTransfer, 0);
  co_await op;
  co_return op.take();
}

Result<Address> UdpSocket::local_address() const {
  return local_address_of(fd());
}

Result<void> UdpSocket::close() noexcept {
  return close_socket(std::move(fd_));
}

}  // namespace zokio::net
