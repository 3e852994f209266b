// SPDX-License-Identifier: Apache-2.0
#pragma once

// A file: positional reads and writes with owned buffers.
//
// Under io_uring the kernel does all of this asynchronously; under epoll, and for what a kernel
// lacks, it runs on the blocking pool (IoSnapshot::file_ops_blocking counts it). Same results. A
// read that the page cache can serve ends at once on both.
// Cancel: an operation that has not begun ends with Cancelled; one that the disk is doing is
// awaited and its result delivered. The buffer comes back in both cases.
// Thread: one task at a time moves or closes it; reads and writes may run concurrently.

#include <cstdint>
#include <string>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/fs/metadata.h"
#include "zokio/fs/open_options.h"
#include "zokio/io/io_result.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::fs {

// The working directory, where a descriptor of a directory is wanted. The value of AT_FDCWD.
inline constexpr int kWorkingDirectory = -100;

class File {
 public:
  File() = default;
  // Takes over a descriptor. Whether it is O_DIRECT is asked here once.
  explicit File(os::Fd fd) noexcept;
  File(os::Fd fd, bool direct) noexcept : fd_(std::move(fd)), direct_(direct) {}

  // Errors: NotFound, AlreadyExists, PermissionDenied, ... by errno.
  static Task<Result<File>> open(std::string path, OpenOptions options = {});

  // Opens `path` under `directory` and nowhere else: no component may be a symbolic link, and `..`
  // or an absolute path cannot leave (openat2 with RESOLVE_BENEATH, NO_SYMLINKS, NO_MAGICLINKS).
  // Errors: PermissionDenied (EXDEV: it would leave; ELOOP: a symbolic link), and as open.
  static Task<Result<File>> open_beneath(int directory, std::string path, OpenOptions options = {});
  static Task<Result<File>> open_beneath(const File& directory, std::string path,
                                         OpenOptions options = {}) {
    return open_beneath(directory.fd(), std::move(path), options);
  }

  // Reads up to the buffer's capacity; may be short; 0 at or behind the end.
  Task<IoResult> read_at(mem::Buffer buffer, uint64_t offset);
  // Writes the buffer's bytes; may be short.
  Task<IoResult> write_at(mem::Buffer buffer, uint64_t offset);
  // Repeats until everything is written. On an error a part may have been.
  Task<IoResult> write_all_at(mem::Buffer buffer, uint64_t offset);
  // The same for a chain: its pieces go out together, 64 in one call.
  Task<ChainResult> write_all_at(mem::BufferChain chain, uint64_t offset);
  // Repeats until the buffer is full or the file ends; n is what was read.
  Task<IoResult> read_full_at(mem::Buffer buffer, uint64_t offset);

  // The same into several buffers in one call, in their order; may be short, and fills at most
  // 1024 of them. (Several pieces are written by write_all_at of a chain.)
  Task<VectorResult> read_vectored_at(std::vector<mem::Buffer> buffers, uint64_t offset);

  // Cuts the file, or extends it by a hole.
  Task<Result<void>> resize(uint64_t size);
  // Gives [offset, offset + length) its room on the disk, so that writing there cannot fail for
  // want of it. `keep_size`: the file does not get longer by it. Errors: ResourceExhausted
  // (ENOSPC), Unimplemented (EOPNOTSUPP: the file system cannot).
  Task<Result<void>> allocate(uint64_t offset, uint64_t length, bool keep_size = false);
  // Gives that room back; it reads as zeros.
  Task<Result<void>> punch_hole(uint64_t offset, uint64_t length);

  // Makes what was written durable. `data_only`: without times (fdatasync).
  Task<Result<void>> sync(bool data_only = false) const;
  Task<Result<Metadata>> stat() const;
  // Closes and reports what the file system says to it. Not cancellable.
  Task<Result<void>> close();

  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  // -1 when closed.
  int fd() const noexcept { return fd_.get(); }
  // Reads go past the page cache (OpenOptions::direct).
  bool direct() const noexcept { return direct_; }

 private:
  os::Fd fd_;  // an open file that goes out of scope is closed at once
  bool direct_ = false;
};

}  // namespace zokio::fs
