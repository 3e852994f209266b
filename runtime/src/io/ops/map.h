// SPDX-License-Identifier: Apache-2.0
#pragma once

// What waits for the disk on behalf of a mapping. The kernel has no asynchronous form that does not
// block: always on the blocking pool.

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "io/ops/transfer.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace zokio::io {

class MapOp final : public Op {
 public:
  enum class What : uint8_t { Populate, Flush };

  // `start` and `bytes` are whole pages; `offset` is that of the first in the file.
  MapOp(What what, std::byte* start, std::size_t bytes, int fd, uint64_t offset) noexcept
      : Op({.kind = OpKind::Map}),
        what_(what),
        start_(start),
        bytes_(bytes),
        fd_(fd),
        offset_(offset) {}

  void encode(io_uring_sqe&) noexcept override { ZOKIO_PANIC("map has no form for io_uring"); }
  int64_t attempt() noexcept override {
    if (what_ == What::Flush) return outcome_of(msync(start_, bytes_, MS_SYNC));
    const long before = faults();
    const int64_t result = populate();
    waited_ = static_cast<uint64_t>(faults() - before);
    return result;
  }

  // After the await: pages that the disk was waited for.
  uint64_t waited() const noexcept { return waited_; }

  // Where the kernel lacks MADV_POPULATE_READ (Linux 5.14): into the page cache, so that the first
  // touch costs a table entry and no wait.
  static int64_t warm(int fd, uint64_t offset, std::size_t bytes) noexcept {
    std::byte scratch[std::size_t{16} << 10];
    while (bytes > 0) {
      const ssize_t n =
          pread(fd, scratch, std::min(bytes, sizeof scratch), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return -errno;
      if (n == 0) return -EFAULT;  // as madvise says it
      offset += static_cast<uint64_t>(n);
      bytes -= static_cast<std::size_t>(n);
    }
    return 0;
  }

 private:
  int64_t populate() noexcept {
    for (;;) {
      if (madvise(start_, bytes_, MADV_POPULATE_READ) == 0) return 0;
      if (errno == EINTR || errno == EAGAIN) continue;
      return errno == EINVAL ? warm(fd_, offset_, bytes_) : -errno;
    }
  }
  static long faults() noexcept {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_majflt;
  }

  What what_;
  std::byte* start_;
  std::size_t bytes_;
  int fd_;
  uint64_t offset_;
  uint64_t waited_ = 0;
};

}  // namespace zokio::io
