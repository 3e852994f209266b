// SPDX-License-Identifier: Apache-2.0
#pragma once

// Receive from a socket with the sender's address, or with descriptors that the other side passed.
// Descriptors are close-on-exec from the start, and owned from the completion on.

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>
#include <vector>

#include "io/ops/transfer.h"
#include "zokio/os/fd.h"

namespace zokio::io {

class RecvFromOp final : public TransferOp {
 public:
  // Receives into `buffer` from `skip` on, and at most `max_fds` descriptors; what is beyond them
  // the kernel closes (flags() has MSG_CTRUNC then).
  RecvFromOp(int fd, mem::Buffer buffer, std::size_t skip, std::size_t limit, std::size_t max_fds)
      : TransferOp({.kind = OpKind::Recv,
                    .opcode = IORING_OP_RECVMSG,
                    .interest = POLLIN,
                    .reissue = true,
                    .counts_bytes = true},
                   fd, std::move(buffer), true, skip, limit),
        vector_{.iov_base = data(), .iov_len = length()},
        // Not CMSG_SPACE: its padding would be room for one more.
        control_bytes_(max_fds == 0 ? 0 : CMSG_LEN(max_fds * sizeof(int))) {
    if (control_bytes_ != 0) control_ = std::make_unique<std::byte[]>(control_bytes_);
    prepare();
  }

  void encode(io_uring_sqe& entry) noexcept override {
    prepare();
    entry.opcode = IORING_OP_RECVMSG;
    entry.fd = fd();
    entry.addr = reinterpret_cast<uintptr_t>(&header_);
    entry.len = 1;
    entry.msg_flags = MSG_CMSG_CLOEXEC;
  }
  int64_t attempt() noexcept override {
    prepare();
    return outcome_of(recvmsg(fd(), &header_, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  }

  // After a good result: MSG_TRUNC (the datagram was longer), MSG_CTRUNC.
  int flags() const noexcept { return header_.msg_flags; }
  const sockaddr_storage& address() const noexcept { return address_; }
  socklen_t address_size() const noexcept { return header_.msg_namelen; }

  // The descriptors that came; once, after a good result.
  std::vector<os::Fd> take_fds() {
    std::vector<os::Fd> fds;
    for (cmsghdr* item = CMSG_FIRSTHDR(&header_); item != nullptr;
         item = CMSG_NXTHDR(&header_, item)) {
      if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(item) + i * sizeof(int), sizeof number);
        fds.emplace_back(number);
      }
    }
    header_.msg_controllen = 0;
    return fds;
  }

 private:
  // The kernel overwrites the sizes, also on the way to an EAGAIN.
  void prepare() noexcept {
    header_ = {};
    header_.msg_name = &address_;
    header_.msg_namelen = sizeof address_;
    header_.msg_iov = &vector_;
    header_.msg_iovlen = 1;
    header_.msg_control = control_.get();
    header_.msg_controllen = control_bytes_;
  }

  iovec vector_;
  std::size_t control_bytes_;
  std::unique_ptr<std::byte[]> control_;
  msghdr header_{};
  sockaddr_storage address_{};
};

}  // namespace zokio::io
