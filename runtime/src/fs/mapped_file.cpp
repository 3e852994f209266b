// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "fs/result.h"
#include "io/ops/map.h"
#include "io/ops/read.h"
#include "zokio/base/assert.h"

namespace zokio::fs {
namespace {

// Between two of these a cancel is seen; by feel, some tens of milliseconds of a slow disk.
constexpr std::size_t kPopulateStep = std::size_t{16} << 20;

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// The bytes to map. Reading the size does not wait: the inode is open.
Result<std::size_t> length_of(int fd, const MapOptions& options) noexcept {
  struct ::stat attributes{};
  if (fstat(fd, &attributes) != 0) return fail_errno(errno, "map");
  const auto end = static_cast<uint64_t>(attributes.st_size);
  if (options.offset > end) return fail(Errc::OutOfRange, "map");
  const uint64_t rest = end - options.offset;
  if (options.length > rest) return fail(Errc::OutOfRange, "map");
  return options.length == 0 ? static_cast<std::size_t>(rest) : options.length;
}

int advice_of(MapUse use) noexcept {
  switch (use) {
    case MapUse::Normal:
      return MADV_NORMAL;
    case MapUse::Sequential:
      return MADV_SEQUENTIAL;
    case MapUse::Random:
      return MADV_RANDOM;
    case MapUse::Soon:
      return MADV_WILLNEED;
    case MapUse::Done:
      return MADV_DONTNEED;
  }
  ZOKIO_PANIC("no such use");
}

}  // namespace

Result<MappedFile> MappedFile::map(const File& file, MapOptions options) {
  ZOKIO_TRY(const std::size_t length, length_of(file.fd(), options));
  MappedFile out;
  out.fd_ = os::Fd(fcntl(file.fd(), F_DUPFD_CLOEXEC, 0));
  if (!out.fd_) return fail_errno(errno, "map");
  out.offset_ = options.offset;
  out.writable_ = options.writable;
  if (length == 0) return out;  // the kernel maps no nothing
  const std::size_t lead = options.offset % page_bytes();
  const int access = options.writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* mapping = mmap(nullptr, lead + length, access, MAP_SHARED, file.fd(),
                       static_cast<off_t>(options.offset - lead));
  if (mapping == MAP_FAILED) return fail_errno(errno, "map");
  out.mapping_ = static_cast<std::byte*>(mapping);
  out.mapped_ = lead + length;
  out.data_ = out.mapping_ + lead;
  out.size_ = length;
  return out;
}

MappedFile::~MappedFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
}

void MappedFile::swap(MappedFile& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(offset_, other.offset_);
  std::swap(writable_, other.writable_);
  std::swap(figures_, other.figures_);
  std::swap(fd_, other.fd_);
}

MutBytes MappedFile::writable_bytes() noexcept {
  ZOKIO_CHECK(writable_, "a mapping for reading is written");
  return {data_, size_};
}

MappedFile::Pages MappedFile::pages(std::size_t offset, std::size_t length) const noexcept {
  offset = std::min(offset, size_);
  length = std::min(length, size_ - offset);
  if (length == 0) return {mapping_, 0};
  const std::size_t from = static_cast<std::size_t>(data_ - mapping_) + offset;
  const std::size_t start = from / page_bytes() * page_bytes();
  return {mapping_ + start, from + length - start};
}

Task<Result<void>> MappedFile::populate(std::size_t offset, std::size_t length) {
  Pages rest = pages(offset, length);
  while (rest.bytes > 0) {
    const std::size_t step = std::min(rest.bytes, kPopulateStep);
    const uint64_t at = offset_ - static_cast<uint64_t>(data_ - mapping_) +
                        static_cast<uint64_t>(rest.start - mapping_);
    io::MapOp op(io::MapOp::What::Populate, rest.start, step, fd_.get(), at);
    co_await op;
    figures_.major_faults += op.waited();
    if (op.result() == -EFAULT) co_return fail(Errc::OutOfRange, "map", Detail::Eof);
    if (op.result() < 0) co_return fail(io::error_of(op));
    figures_.populated_bytes += step;
    rest = {rest.start + step, rest.bytes - step};
  }
  co_return Result<void>();
}

Task<Result<void>> MappedFile::flush(std::size_t offset, std::size_t length) {
  const Pages range = pages(offset, length);
  if (range.bytes == 0) co_return Result<void>();
  io::MapOp op(io::MapOp::What::Flush, range.start, range.bytes, fd_.get(), 0);
  co_await op;
  co_return outcome(op);
}

Result<void> MappedFile::advise(MapUse use, std::size_t offset, std::size_t length) {
  const Pages range = pages(offset, length);
  if (range.bytes != 0 && madvise(range.start, range.bytes, advice_of(use)) != 0)
    return fail_errno(errno, "map");
  return {};
}

Task<IoResult> MappedFile::read_at(mem::Buffer buffer, std::size_t offset) {
  if (buffer.capacity() == 0) co_return io::no_room(std::move(buffer), "read");
  if (offset >= size_) {
    buffer.resize(0);
    co_return IoResult{.n = std::size_t{0}, .buffer = std::move(buffer)};
  }
  io::ReadOp op(fd_.get(), std::move(buffer), static_cast<int64_t>(offset_ + offset), 0,
                size_ - offset);
  co_await op;
  co_return op.take();
}

Result<mem::SharedBuffer> MappedFile::share(MappedFile map) {
  const Bytes bytes = map.bytes();
  return mem::SharedBuffer::adopt(std::move(map), bytes);
}

}  // namespace zokio::fs
