// SPDX-License-Identifier: Apache-2.0
#pragma once

// One write of several pieces: writev to a file or a pipe, sendmsg to a socket. The chain belongs
// to the operation until its completion, and the kernel's entries lie beside it.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>

#include "io/ops/transfer.h"
#include "zokio/mem/buffer_chain.h"

namespace zokio::io {

// Pieces in one call. The kernel takes 1024; beyond some dozens a call costs what its pieces cost.
inline constexpr std::size_t kGatherEntries = 64;

class GatherOp : public Op {
 public:
  // After the await: the count, and what was not written.
  ChainResult take() noexcept {
    if (result() < 0) return {.n = fail(error_of(*this)), .rest = std::move(chain_)};
    const auto n = static_cast<std::size_t>(result());
    chain_.consume(n);
    return {.n = n, .rest = std::move(chain_)};
  }

 protected:
  GatherOp(OpTraits traits, int fd, mem::BufferChain chain) noexcept
      : Op(traits), fd_(fd), chain_(std::move(chain)), all_(chain_.gather(entries_)) {}

  int fd() const noexcept { return fd_; }
  iovec* entries() noexcept { return entries_.data(); }
  std::size_t count() const noexcept { return all_.entries; }
  bool would_block_next(int64_t result) const noexcept override {
    return result == -EAGAIN ||
           (traits().stream && result > 0 && result < static_cast<int64_t>(all_.bytes));
  }
  int poll_fd() const noexcept override { return fd_; }

 private:
  int fd_;
  mem::BufferChain chain_;
  std::array<iovec, kGatherEntries> entries_;
  mem::BufferChain::Gathered all_;
};

class WritevOp final : public GatherOp {
 public:
  // `offset` kNoOffset: a stream.
  WritevOp(int fd, mem::BufferChain chain, int64_t offset) noexcept
      : GatherOp({.kind = OpKind::Write, .opcode = IORING_OP_WRITEV, .counts_bytes = true}, fd,
                 std::move(chain)),
        offset_(offset) {
    if (offset == kNoOffset) set_interest(POLLOUT, true);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_WRITEV;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(entries());
    entry.len = static_cast<uint32_t>(count());
    entry.off = static_cast<uint64_t>(offset_);
  }
  int64_t attempt() noexcept override {
    const int n = static_cast<int>(count());
    return outcome_of(offset_ == kNoOffset ? writev(fd(), entries(), n)
                                           : pwritev(fd(), entries(), n, offset_));
  }

 private:
  int64_t offset_;
};

class SendmsgOp final : public GatherOp {
 public:
  SendmsgOp(int fd, mem::BufferChain chain) noexcept
      : GatherOp({.kind = OpKind::Send,
                  .opcode = IORING_OP_SENDMSG,
                  .interest = POLLOUT,
                  .reissue = true,
                  .counts_bytes = true,
                  .stream = true},
                 fd, std::move(chain)) {
    message_.msg_iov = entries();
    message_.msg_iovlen = count();
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_SENDMSG;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(&message_);
    entry.len = 1;
    entry.msg_flags = MSG_NOSIGNAL;
  }
  int64_t attempt() noexcept override {
    return outcome_of(sendmsg(fd(), &message_, MSG_DONTWAIT | MSG_NOSIGNAL));
  }

 private:
  msghdr message_{};
};

}  // namespace zokio::io
