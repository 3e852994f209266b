// SPDX-License-Identifier: Apache-2.0
#pragma once

// Read a file at a position, or a pipe.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/ops/transfer.h"

namespace zokio::io {

class ReadOp final : public TransferOp {
 public:
  // `offset` kNoOffset: a stream that may make the reader wait, and is non-blocking.
  // Reads into `buffer` from `skip` on, at most `limit` bytes.
  // `cached`: it is first looked for in the page cache; not for O_DIRECT, which would wait there.
  ReadOp(int fd, mem::Buffer buffer, int64_t offset, std::size_t skip = 0,
         std::size_t limit = kMaxTransfer, bool cached = false) noexcept
      : TransferOp({.kind = OpKind::Read,
                    .opcode = IORING_OP_READ,
                    .counts_bytes = true,
                    .cached = !cached                      ? Cached::No
                              : buffer.capacity() < kLarge ? Cached::Small
                                                           : Cached::Large},
                   fd, std::move(buffer), true, skip, limit),
        offset_(offset) {
    if (offset == kNoOffset) set_interest(POLLIN, true);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_READ;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(data());
    entry.len = static_cast<uint32_t>(length());
    entry.off = static_cast<uint64_t>(offset_);
  }
  int64_t attempt() noexcept override {
    return outcome_of(offset_ == kNoOffset ? read(fd(), data(), length())
                                           : pread(fd(), data(), length(), offset_));
  }

  // Until it is full or the file ends, so that it is short where a waiting read would be. Errors
  // are left to that, too.
  int64_t attempt_cached() noexcept override {
    std::size_t done = 0;
    while (done < length()) {
      const iovec rest{data() + done, length() - done};
      const ssize_t n = preadv2(fd(), &rest, 1, offset_ + static_cast<int64_t>(done), RWF_NOWAIT);
      if (n < 0) return -EAGAIN;
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return static_cast<int64_t>(done);
  }

 private:
  static constexpr std::size_t kLarge = std::size_t{16} << 10;

  int64_t offset_;
};

}  // namespace zokio::io
