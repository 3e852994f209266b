// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/send_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/ops/read.h"
#include "io/ops/splice.h"
#include "net/socket_io.h"
#include "zokio/os/fd.h"

namespace zokio::net {
namespace {

// Fewer trips with a larger pipe; without leave for it the pipe stays as it is (64 KiB).
constexpr int kPipeBytes = 1 << 20;
constexpr std::size_t kCopyBytes = std::size_t{64} << 10;

struct Pipe {
  os::Fd read;
  os::Fd write;
  std::size_t bytes = 0;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno(errno, "pipe");
  Pipe pipe{.read = os::Fd(ends[0]), .write = os::Fd(ends[1])};
  fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  pipe.bytes = static_cast<std::size_t>(std::max(fcntl(ends[1], F_GETPIPE_SZ), 4096));
  return pipe;
}

Task<Result<uint64_t>> copy_file(int socket, int file, uint64_t offset, uint64_t count) {
  ZOKIO_CO_TRY(mem::Buffer buffer, mem::lease(kCopyBytes));
  uint64_t done = 0;
  while (done < count) {
    const auto want = static_cast<std::size_t>(std::min<uint64_t>(kCopyBytes, count - done));
    io::ReadOp op(file, std::move(buffer), static_cast<int64_t>(offset + done), 0, want);
    co_await op;
    IoResult step = op.take();
    if (!step.n.has_value()) co_return fail(step.n.error());
    if (*step.n == 0) break;
    step = co_await write_socket_all(socket, std::move(step.buffer));
    if (!step.n.has_value()) co_return fail(step.n.error());
    done += *step.n;
    buffer = std::move(step.buffer);
  }
  co_return done;
}

}  // namespace

Task<Result<uint64_t>> send_file(int socket, int file, uint64_t offset, uint64_t count) {
  if (offset > INT64_MAX) co_return fail(Errc::InvalidArgument, "send_file");
  count = std::min<uint64_t>(count, INT64_MAX - offset);
  ZOKIO_CO_TRY(Pipe pipe, make_pipe());
  uint64_t done = 0;
  while (done < count) {
    const auto want = static_cast<std::size_t>(std::min<uint64_t>(pipe.bytes, count - done));
    io::SpliceOp fill =
        io::SpliceOp::fill(file, static_cast<int64_t>(offset + done), pipe.write.get(), want);
    co_await fill;
    if (fill.result() == -EINVAL && done == 0) {
      co_return co_await copy_file(socket, file, offset, count);
    }
    if (fill.result() < 0) co_return fail(io::error_of(fill));
    if (fill.result() == 0) break;
    auto left = static_cast<std::size_t>(fill.result());
    while (left > 0) {
      io::SpliceOp drain = io::SpliceOp::drain(pipe.read.get(), socket, left);
      co_await drain;
      if (drain.result() < 0) co_return fail(io::error_of(drain));
      if (drain.result() == 0) co_return fail(Errc::Unavailable, "send_file", Detail::Eof);
      left -= static_cast<std::size_t>(drain.result());
      done += static_cast<uint64_t>(drain.result());
    }
  }
  co_return done;
}

}  // namespace zokio::net
