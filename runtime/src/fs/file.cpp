// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "fs/result.h"
#include "io/ops/close.h"
#include "io/ops/fallocate.h"
#include "io/ops/fsync.h"
#include "io/ops/gather.h"
#include "io/ops/open.h"
#include "io/ops/read.h"
#include "io/ops/readv.h"
#include "io/ops/statx.h"
#include "io/ops/truncate.h"
#include "io/ops/write.h"

namespace zokio::fs {
namespace {

static_assert(kWorkingDirectory == AT_FDCWD);

int open_flags(const OpenOptions& options) noexcept {
  int flags = options.write ? (options.read ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (options.create) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  if (options.directory) flags |= O_DIRECTORY;
  if (options.no_follow) flags |= O_NOFOLLOW;
  if (options.temporary) flags |= O_TMPFILE;
  if (options.append) flags |= O_APPEND;
  if (options.direct) flags |= O_DIRECT;
  if (options.regular_only) flags |= O_NONBLOCK | O_NOCTTY;
  return flags;
}

// openat2 refuses a mode where no file can be made.
unsigned open_mode(const OpenOptions& options) noexcept {
  return options.create || options.temporary ? options.mode & 07777u : 0;
}

// Neither call waits for anything: the inode is open.
Result<void> require_regular(int fd) noexcept {
  struct ::stat attributes{};
  if (fstat(fd, &attributes) != 0) return fail_errno(errno, "open");
  if (!S_ISREG(attributes.st_mode)) return fail(Errc::FailedPrecondition, "open");
  // O_NONBLOCK was for the open only; a kernel may refuse to wait for the disk because of it.
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0) return fail_errno(errno, "open");
  return {};
}

Task<Result<File>> open_with(int directory, std::string path, OpenOptions options,
                             uint64_t resolve) {
  io::OpenOp op(directory, std::move(path), open_flags(options), open_mode(options), resolve);
  co_await op;
  if (op.result() < 0) co_return fail(io::error_of(op));
  os::Fd fd(static_cast<int>(op.result()));
  if (options.regular_only) ZOKIO_CO_CHECKED(require_regular(fd.get()));
  co_return File(std::move(fd), options.direct);
}

// Offsets above this do not fit the kernel's loff_t.
bool valid_offset(uint64_t offset) noexcept {
  return offset <= INT64_MAX;
}

Task<Result<void>> reserve(int fd, int mode, uint64_t offset, uint64_t length) {
  if (!valid_offset(offset) || !valid_offset(length)) {
    co_return fail(Errc::InvalidArgument, "fallocate");
  }
  io::FallocateOp op(fd, mode, static_cast<int64_t>(offset), static_cast<int64_t>(length));
  co_await op;
  co_return outcome(op);
}

IoResult bad_offset(mem::Buffer buffer, const char* where) {
  return {.n = fail(Errc::InvalidArgument, where), .buffer = std::move(buffer)};
}

}  // namespace

File::File(os::Fd fd) noexcept : fd_(std::move(fd)) {
  const int flags = fd_ ? fcntl(fd_.get(), F_GETFL) : 0;
  direct_ = flags >= 0 && (flags & O_DIRECT) != 0;
}

Task<Result<File>> File::open(std::string path, OpenOptions options) {
  return open_with(AT_FDCWD, std::move(path), options, 0);
}

Task<Result<File>> File::open_beneath(int directory, std::string path, OpenOptions options) {
  return open_with(directory, std::move(path), options,
                   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

Task<IoResult> File::read_at(mem::Buffer buffer, uint64_t offset) {
  if (buffer.capacity() == 0) co_return io::no_room(std::move(buffer), "read");
  if (!valid_offset(offset)) co_return bad_offset(std::move(buffer), "read");
  io::ReadOp op(fd(), std::move(buffer), static_cast<int64_t>(offset), 0, io::kMaxTransfer,
                !direct_);
  co_await op;
  co_return op.take();
}

Task<IoResult> File::write_at(mem::Buffer buffer, uint64_t offset) {
  if (!valid_offset(offset)) co_return bad_offset(std::move(buffer), "write");
  io::WriteOp op(fd(), std::move(buffer), static_cast<int64_t>(offset));
  co_await op;
  co_return op.take();
}

Task<IoResult> File::write_all_at(mem::Buffer buffer, uint64_t offset) {
  const std::size_t size = buffer.size();
  std::size_t done = 0;
  do {
    if (!valid_offset(offset + done)) co_return bad_offset(std::move(buffer), "write");
    io::WriteOp op(fd(), std::move(buffer), static_cast<int64_t>(offset + done), done);
    co_await op;
    IoResult step = op.take();
    if (!step.n.has_value()) co_return step;
    buffer = std::move(step.buffer);
    if (*step.n == 0 && done < size) {
      co_return IoResult{.n = fail(Errc::Unavailable, "write", Detail::Eof),
                         .buffer = std::move(buffer)};
    }
    done += *step.n;
  } while (done < size);
  co_return IoResult{.n = done, .buffer = std::move(buffer)};
}

Task<ChainResult> File::write_all_at(mem::BufferChain chain, uint64_t offset) {
  std::size_t done = 0;
  while (!chain.empty()) {
    if (!valid_offset(offset + done))
      co_return ChainResult{.n = fail(Errc::InvalidArgument, "write"), .rest = std::move(chain)};
    io::WritevOp op(fd(), std::move(chain), static_cast<int64_t>(offset + done));
    co_await op;
    ChainResult step = op.take();
    if (!step.n.has_value()) co_return step;
    chain = std::move(step.rest);
    if (*step.n == 0)
      co_return ChainResult{.n = fail(Errc::Unavailable, "write", Detail::Eof),
                            .rest = std::move(chain)};
    done += *step.n;
  }
  co_return ChainResult{.n = done, .rest = {}};
}

Task<IoResult> File::read_full_at(mem::Buffer buffer, uint64_t offset) {
  const std::size_t capacity = buffer.capacity();
  if (capacity == 0) co_return io::no_room(std::move(buffer), "read");
  std::size_t done = 0;
  do {
    if (!valid_offset(offset + done)) co_return bad_offset(std::move(buffer), "read");
    io::ReadOp op(fd(), std::move(buffer), static_cast<int64_t>(offset + done), done,
                  io::kMaxTransfer, !direct_);
    co_await op;
    IoResult step = op.take();
    if (!step.n.has_value()) co_return step;
    buffer = std::move(step.buffer);
    if (*step.n == 0) break;
    done += *step.n;
  } while (done < capacity);
  buffer.resize(done);
  co_return IoResult{.n = done, .buffer = std::move(buffer)};
}

Task<VectorResult> File::read_vectored_at(std::vector<mem::Buffer> buffers, uint64_t offset) {
  std::size_t room = 0;
  for (const mem::Buffer& buffer : buffers) room += buffer.capacity();
  // A read into nothing would look like the end of the file.
  if (room == 0 || !valid_offset(offset)) {
    co_return VectorResult{.n = fail(Errc::InvalidArgument, "read"), .buffers = std::move(buffers)};
  }
  io::ReadvOp op(fd(), std::move(buffers), static_cast<int64_t>(offset));
  co_await op;
  co_return op.take();
}

Task<Result<void>> File::resize(uint64_t size) {
  if (!valid_offset(size)) co_return fail(Errc::InvalidArgument, "truncate");
  io::TruncateOp op(fd(), static_cast<int64_t>(size));
  co_await op;
  co_return outcome(op);
}

Task<Result<void>> File::allocate(uint64_t offset, uint64_t length, bool keep_size) {
  return reserve(fd(), keep_size ? FALLOC_FL_KEEP_SIZE : 0, offset, length);
}

Task<Result<void>> File::punch_hole(uint64_t offset, uint64_t length) {
  return reserve(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

Task<Result<void>> File::sync(bool data_only) const {
  io::FsyncOp op(fd(), data_only);
  co_await op;
  co_return outcome(op);
}

Task<Result<Metadata>> File::stat() const {
  io::StatxOp op(fd(), "", true);
  co_await op;
  if (op.result() < 0) co_return fail(io::error_of(op));
  co_return metadata_of(op.attributes());
}

Task<Result<void>> File::close() {
  if (!fd_) co_return fail(Errc::FailedPrecondition, "close", Detail::Closed);
  io::CloseOp op(std::move(fd_));
  co_await op;
  co_return outcome(op);
}

}  // namespace zokio::fs
