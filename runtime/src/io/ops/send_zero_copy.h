// SPDX-License-Identifier: Apache-2.0
#pragma once

// Send to a stream socket out of the buffer itself: the kernel reads it until the other side has
// acknowledged, and says so with a second completion; then the buffer comes back.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "io/ops/transfer.h"

namespace zokio::io {

class SendZeroCopyOp final : public TransferOp {
 public:
  // Sends the bytes of `buffer` from `skip` on. Requires: the ring knows the opcode.
  SendZeroCopyOp(int fd, mem::Buffer buffer, std::size_t skip) noexcept
      : TransferOp({.kind = OpKind::Send,
                    .opcode = IORING_OP_SEND_ZC,
                    .interest = POLLOUT,
                    .reissue = true,
                    .counts_bytes = true,
                    .stream = true,
                    .notified = true},
                   fd, std::move(buffer), false, skip) {}

  // The kernel had to copy.
  bool copied() const noexcept { return copied_; }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_SEND_ZC;
    entry.ioprio = kReportUsage;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(data());
    entry.len = static_cast<uint32_t>(length());
    entry.msg_flags = MSG_NOSIGNAL;
  }
  int64_t attempt() noexcept override {
    copied_ = true;
    return outcome_of(send(fd(), data(), length(), MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  void promised(int64_t result) noexcept override { promised_ = result; }
  mem::Buffer hand_over() noexcept override {
    if (promised_ < 0) return {};
    auto copy = mem::lease(buffer().size());
    if (!copy) return {};
    copy->resize(buffer().size());
    std::memcpy(copy->data(), buffer().data(), buffer().size());
    copied_ = true;
    return std::exchange(buffer(), *std::move(copy));
  }
  int64_t settled(uint32_t usage) noexcept override {
    copied_ = (usage & kUsageCopied) != 0;
    return promised_;
  }

 private:
  // Of Linux 6.2; an older kernel refuses the first (EINVAL).
  static constexpr uint16_t kReportUsage = 1u << 3;
  static constexpr uint32_t kUsageCopied = 1u << 31;

  int64_t promised_ = -1;  // until the first completion
  bool copied_ = false;
};

}  // namespace zokio::io
