// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/tcp_stream.h"

#include <cerrno>

#include "io/driver.h"
#include "io/ops/connect.h"
#include "io/ops/receive.h"
#include "io/ops/send_zero_copy.h"
#include "net/socket.h"
#include "net/socket_io.h"
#include "zokio/net/socket_options.h"
#include "zokio/task/context.h"

namespace zokio::net {

Task<Result<TcpStream>> TcpStream::connect(Address address) {
  ZOKIO_CO_TRY(os::Fd fd, make_socket(address.family(), SOCK_STREAM));
  static_cast<void>(set_no_delay(fd.get(), true));  // its failure does no harm
  io::ConnectOp op(fd.get(), address.data(), address.size());
  co_await op;
  if (op.result() < 0) co_return fail(io::error_of(op));
  co_return TcpStream(std::move(fd));
}

Task<IoResult> TcpStream::read(mem::Buffer buffer, std::size_t skip, std::size_t limit) {
  return read_socket(fd(), std::move(buffer), skip, limit);
}

Task<Result<mem::Buffer>> TcpStream::receive(std::size_t most) {
  if (most == 0 || most > mem::kMaxBufferBytes) co_return fail(Errc::InvalidArgument, "receive");
  io::ReceiveOp op(fd(), most);
  co_await op;
  co_return op.take();
}

Task<IoResult> TcpStream::read_exactly(mem::Buffer buffer, std::size_t count) {
  return read_socket_exactly(fd(), std::move(buffer), count);
}

Task<IoResult> TcpStream::write(mem::Buffer buffer, std::size_t skip) {
  return write_socket(fd(), std::move(buffer), skip);
}

Task<IoResult> TcpStream::write_zero_copy(mem::Buffer buffer, std::size_t skip) {
  io::ZeroCopyPolicy& policy = task::context().driver->zero_copy();
  if (skip <= buffer.size() && policy.use(buffer.size() - skip)) {
    io::SendZeroCopyOp op(fd(), std::move(buffer), skip);
    co_await op;
    IoResult done = op.take();
    if (op.result() > 0) policy.sent(static_cast<uint64_t>(op.result()), op.copied());
    // No memory to pin (RLIMIT_MEMLOCK), no such sends here, or no report of them: as usual.
    const bool cannot = op.result() == -ENOMEM || op.result() == -ENOBUFS ||
                        op.result() == -EOPNOTSUPP || op.result() == -EINVAL;
    if (!cannot) co_return done;
    policy.refused();
    buffer = std::move(done.buffer);
  }
  co_return co_await write_socket(fd(), std::move(buffer), skip);
}

Task<IoResult> TcpStream::write_all(mem::Buffer buffer) {
  return write_socket_all(fd(), std::move(buffer));
}

Task<ChainResult> TcpStream::write_all(mem::BufferChain chain) {
  return write_socket_all(fd(), std::move(chain));
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
