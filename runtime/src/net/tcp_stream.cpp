// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/tcp_stream.h"

#include <cerrno>

#include "io/ops/connect.h"
#include "io/ops/gather.h"
#include "io/ops/receive.h"
#include "io/ops/recv.h"
#include "io/ops/send.h"
#include "net/socket.h"

namespace zokio::net {

Task<Result<TcpStream>> TcpStream::connect(Address address) {
  ZOKIO_CO_TRY(os::Fd fd, make_tcp_socket(address.family()));
  set_no_delay(fd.get());
  io::ConnectOp op(fd.get(), address.data(), address.size());
  co_await op;
  if (op.result() < 0) co_return fail(io::error_of(op));
  co_return TcpStream(std::move(fd));
}

Task<IoResult> TcpStream::read(mem::Buffer buffer) {
  if (buffer.capacity() == 0) co_return io::no_room(std::move(buffer), "recv");
  io::RecvOp op(fd(), std::move(buffer));
  co_await op;
  co_return op.take();
}

Task<Result<mem::Buffer>> TcpStream::receive(std::size_t most) {
  if (most == 0 || most > mem::kMaxBufferBytes) co_return fail(Errc::InvalidArgument, "receive");
  io::ReceiveOp op(fd(), most);
  co_await op;
  co_return op.take();
}

Task<IoResult> TcpStream::read_exactly(mem::Buffer buffer, std::size_t count) {
  if (count > buffer.capacity()) {
    co_return IoResult{.n = fail(Errc::InvalidArgument, "read_exactly"),
                       .buffer = std::move(buffer)};
  }
  std::size_t done = 0;
  buffer.resize(0);
  while (done < count) {
    io::RecvOp op(fd(), std::move(buffer), done, count - done);
    co_await op;
    IoResult step = op.take();
    buffer = std::move(step.buffer);
    if (!step.n.has_value()) {
      buffer.resize(done);
      co_return IoResult{.n = step.n, .buffer = std::move(buffer)};
    }
    if (*step.n == 0) {
      co_return IoResult{.n = fail(Errc::OutOfRange, "read_exactly", Detail::Eof),
                         .buffer = std::move(buffer)};
    }
    done += *step.n;
  }
  co_return IoResult{.n = done, .buffer = std::move(buffer)};
}

Task<IoResult> TcpStream::write(mem::Buffer buffer) {
  io::SendOp op(fd(), std::move(buffer));
  co_await op;
  co_return op.take();
}

Task<IoResult> TcpStream::write_all(mem::Buffer buffer) {
  const std::size_t size = buffer.size();
  std::size_t done = 0;
  while (done < size) {
    io::SendOp op(fd(), std::move(buffer), done);
    co_await op;
    IoResult step = op.take();
    if (!step.n.has_value()) co_return step;
    buffer = std::move(step.buffer);
    done += *step.n;
  }
  co_return IoResult{.n = done, .buffer = std::move(buffer)};
}

Task<ChainResult> TcpStream::write_all(mem::BufferChain chain) {
  std::size_t done = 0;
  while (!chain.empty()) {
    io::SendmsgOp op(fd(), std::move(chain));
    co_await op;
    ChainResult step = op.take();
    if (!step.n.has_value()) co_return step;
    chain = std::move(step.rest);
    done += *step.n;
  }
  co_return ChainResult{.n = done, .rest = {}};
}

Result<void> TcpStream::shutdown_write() noexcept {
  if (::shutdown(fd(), SHUT_WR) != 0) return fail_errno(errno, "shutdown");
  return {};
}

Result<void> TcpStream::shutdown() noexcept {
  if (::shutdown(fd(), SHUT_RDWR) != 0) return fail_errno(errno, "shutdown");
  return {};
}

Task<Result<void>> TcpStream::close() {
  co_return close_socket(std::move(fd_));
}

Result<Address> TcpStream::local_address() const {
  return local_address_of(fd());
}
Result<Address> TcpStream::peer_address() const {
  return peer_address_of(fd());
}

}  // namespace zokio::net
