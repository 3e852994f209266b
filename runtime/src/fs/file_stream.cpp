// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/file_stream.h"

#include "io/ops/read.h"
#include "io/ops/write.h"

namespace zokio::fs {

Task<IoResult> FileStream::read(mem::Buffer buffer, std::size_t skip, std::size_t limit) {
  if (skip >= buffer.capacity() || limit == 0 || position_ > INT64_MAX) {
    co_return io::no_room(std::move(buffer), "read");
  }
  io::ReadOp op(file_->fd(), std::move(buffer), static_cast<int64_t>(position_), skip, limit,
                !file_->direct());
  co_await op;
  if (op.result() > 0) position_ += static_cast<uint64_t>(op.result());
  co_return op.take();
}

Task<IoResult> FileStream::write(mem::Buffer buffer, std::size_t skip) {
  if (skip > buffer.size() || position_ > INT64_MAX) {
    co_return IoResult{.n = fail(Errc::InvalidArgument, "write"), .buffer = std::move(buffer)};
  }
  io::WriteOp op(file_->fd(), std::move(buffer), static_cast<int64_t>(position_), skip);
  co_await op;
  if (op.result() > 0) position_ += static_cast<uint64_t>(op.result());
  co_return op.take();
}

}  // namespace zokio::fs
