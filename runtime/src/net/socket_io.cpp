// SPDX-License-Identifier: Apache-2.0
#include "net/socket_io.h"

#include "io/ops/gather.h"
#include "io/ops/recv.h"
#include "io/ops/send.h"

namespace zokio::net {

Task<IoResult> read_socket(int fd, mem::Buffer buffer, std::size_t skip, std::size_t limit) {
  if (skip >= buffer.capacity() || limit == 0) co_return io::no_room(std::move(buffer), "recv");
  io::RecvOp op(fd, std::move(buffer), skip, limit);
  co_await op;
  co_return op.take();
}

Task<IoResult> read_socket_exactly(int fd, mem::Buffer buffer, std::size_t count) {
  if (count > buffer.capacity()) {
    co_return IoResult{.n = fail(Errc::InvalidArgument, "read_exactly"),
                       .buffer = std::move(buffer)};
  }
  std::size_t done = 0;
  buffer.resize(0);
  while (done < count) {
    io::RecvOp op(fd, std::move(buffer), done, count - done);
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

Task<IoResult> write_socket(int fd, mem::Buffer buffer, std::size_t skip) {
  if (skip > buffer.size()) {
    co_return IoResult{.n = fail(Errc::InvalidArgument, "send"), .buffer = std::move(buffer)};
  }
  io::SendOp op(fd, std::move(buffer), skip);
  co_await op;
  co_return op.take();
}

Task<IoResult> write_socket_all(int fd, mem::Buffer buffer) {
  const std::size_t size = buffer.size();
  std::size_t done = 0;
  while (done < size) {
    io::SendOp op(fd, std::move(buffer), done);
    co_await op;
    IoResult step = op.take();
    if (!step.n.has_value()) co_return step;
    buffer = std::move(step.buffer);
    done += *step.n;
  }
  co_return IoResult{.n = done, .buffer = std::move(buffer)};
}

Task<ChainResult> write_socket_all(int fd, mem::BufferChain chain) {
  std::size_t done = 0;
  while (!chain.empty()) {
    io::SendmsgOp op(fd, std::move(chain));
    co_await op;
    ChainResult step = op.take();
    if (!step.n.has_value()) co_return step;
    chain = std::move(step.rest);
    done += *step.n;
  }
  co_return ChainResult{.n = done, .rest = {}};
}

}  // namespace zokio::net
