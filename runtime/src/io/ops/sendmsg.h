// SPDX-License-Identifier: Apache-2.0
#pragma once

// Send to a socket with an address, or with descriptors for the other side (SCM_RIGHTS).

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>
#include <span>

#include "io/ops/transfer.h"

namespace zokio::io {

// What the kernel passes in one message (SCM_MAX_FD).
inline constexpr std::size_t kMaxPassedFds = 253;

class SendToOp final : public TransferOp {
 public:
  // Sends the bytes of `buffer` from `skip` on. `address` is copied; null: to the peer. The
  // descriptors stay the caller's, and open until the end of the operation.
  // Requires: size <= sizeof(sockaddr_storage), fds.size() <= kMaxPassedFds.
  SendToOp(int fd, mem::Buffer buffer, std::size_t skip, const sockaddr* address, socklen_t size,
           std::span<const int> fds = {})
      : TransferOp({.kind = OpKind::Send,
                    .opcode = IORING_OP_SENDMSG,
                    .interest = POLLOUT,
                    .reissue = true,
                    .counts_bytes = true},
                   fd, std::move(buffer), false, skip),
        vector_{.iov_base = data(), .iov_len = length()} {
    header_.msg_iov = &vector_;
    header_.msg_iovlen = 1;
    if (address != nullptr) {
      std::memcpy(&address_, address, size);
      header_.msg_name = &address_;
      header_.msg_namelen = size;
    }
    if (!fds.empty()) attach(fds);
  }

  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_SENDMSG;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(&header_);
    entry.len = 1;
    // Not to be waited for inside: a Unix datagram that finds its receiver's queue full has been
    // copied out of the vector by then, and the ring's second try would send an empty one (seen
    // with Linux 6.18). With EAGAIN the engine waits for room and begins anew.
    entry.msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  }
  int64_t attempt() noexcept override {
    return outcome_of(sendmsg(fd(), &header_, MSG_DONTWAIT | MSG_NOSIGNAL));
  }

 private:
  void attach(std::span<const int> fds) {
    const std::size_t bytes = fds.size_bytes();
    control_ = std::make_unique<std::byte[]>(CMSG_SPACE(bytes));
    header_.msg_control = control_.get();
    header_.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* first = CMSG_FIRSTHDR(&header_);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(first), fds.data(), bytes);
  }

  iovec vector_;
  msghdr header_{};
  sockaddr_storage address_{};
  std::unique_ptr<std::byte[]> control_;
};

}  // namespace zokio::io
