// SPDX-License-Identifier: Apache-2.0
#pragma once

// A file, or a range of it, as memory.
//
//   ZOKIO_CO_TRY(auto map, MappedFile::map(file));
//   ZOKIO_CO_CHECKED(co_await map.populate());   // the disk is waited for here, and not below
//   use(map.bytes());
//
// A page that is touched and not there stops its worker until the disk has answered: populate()
// brings pages in beforehand, on the blocking pool.
//
// SIGBUS: when somebody shortens the file, or the disk fails, touching what is gone ends the
// process; the runtime catches no such signal, because nothing can go on in the middle of a load.
// For files that others may shorten there is read_at(), which copies and reports instead, and
// populate() says when pages are gone.
// Thread: as File; bytes() may be read anywhere.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "zokio/base/bytes.h"
#include "zokio/base/result.h"
#include "zokio/fs/file.h"
#include "zokio/io/io_result.h"
#include "zokio/mem/shared_buffer.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::fs {

struct MapOptions {
  uint64_t offset = 0;     // any; need not be a multiple of the page
  std::size_t length = 0;  // 0: to the end of the file as it is now
  bool writable = false;   // shared: what is written goes to the file; open it for writing, too
};

// What will be done with a range; a hint (madvise).
enum class MapUse : uint8_t { Normal, Sequential, Random, Soon, Done };

struct MapFigures {
  uint64_t populated_bytes = 0;
  uint64_t major_faults = 0;  // pages that populate() waited for
};

class MappedFile {
 public:
  MappedFile() noexcept = default;
  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile taken(std::move(other));
    swap(taken);
    return *this;
  }
  // What was written and not flushed reaches the file some time later.
  ~MappedFile();

  // The file may be closed afterwards. Errors: OutOfRange (a range beyond the end), and by errno
  // (PermissionDenied: not open for reading, or for writing when `writable`).
  static Result<MappedFile> map(const File& file, MapOptions options = {});

  std::size_t size() const noexcept { return size_; }
  Bytes bytes() const noexcept { return {data_, size_}; }
  // Requires: mapped writable.
  MutBytes writable_bytes() noexcept;

  // The range is cut at the end of the mapping in all of these.
  // Brings the pages in, 16 MiB a step. Cancel: between two steps.
  // Errors: OutOfRange/Eof (the file is shorter than the range), and by errno.
  Task<Result<void>> populate(std::size_t offset = 0, std::size_t length = SIZE_MAX);
  // Waits until what was written is on the disk.
  Task<Result<void>> flush(std::size_t offset = 0, std::size_t length = SIZE_MAX);
  Result<void> advise(MapUse use, std::size_t offset = 0, std::size_t length = SIZE_MAX);
  // Copies from `offset` on, at most to the end of the mapping, as File::read_at does: short or 0
  // when the file was shortened. Never raises SIGBUS.
  Task<IoResult> read_at(mem::Buffer buffer, std::size_t offset);

  MapFigures figures() const noexcept { return figures_; }

  // All bytes as a shared buffer that keeps the mapping. Errors: ResourceExhausted.
  static Result<mem::SharedBuffer> share(MappedFile map);

 private:
  // Whole pages around a range; data 0 where it is empty.
  struct Pages {
    std::byte* start;
    std::size_t bytes;
  };
  Pages pages(std::size_t offset, std::size_t length) const noexcept;
  void swap(MappedFile& other) noexcept;

  std::byte* mapping_ = nullptr;  // begins at a page
  std::size_t mapped_ = 0;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  uint64_t offset_ = 0;  // of data_ in the file
  bool writable_ = false;
  MapFigures figures_;
  os::Fd fd_;  // our own, for read_at
};

}  // namespace zokio::fs
