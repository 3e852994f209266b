// SPDX-License-Identifier: Apache-2.0
#pragma once

// io_uring as somebody writes it by hand who wants all of it: one issuer, deferred task work, and a
// ring of buffers that the kernel picks from. For the raw server and for the load generator.

#include <liburing.h>
#include <sys/mman.h>

#include <vector>

#include "wire.h"

namespace bench::io {

class RawRing {
 public:
  explicit RawRing(unsigned entries) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    params.cq_entries = entries * 8;
    check(io_uring_queue_init_params(entries, &ring_, &params), "io_uring_setup");
  }

  // `count` is a power of two.
  void provide_buffers(unsigned count, unsigned bytes) {
    count_ = count;
    bytes_ = bytes;
    const std::size_t head = count * sizeof(io_uring_buf);
    buffers_ = static_cast<io_uring_buf_ring*>(pages(head));
    memory_ = static_cast<char*>(pages(std::size_t{count} * bytes));
    io_uring_buf_reg reg{};
    reg.ring_addr = reinterpret_cast<uintptr_t>(buffers_);
    reg.ring_entries = count;
    check(io_uring_register_buf_ring(&ring_, &reg, 0), "io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffers_);
    for (unsigned i = 0; i < count; ++i) give_back(i);
  }

  // `file` becomes number 0.
  void register_files_and_buffers(int file, const std::vector<iovec>& buffers) {
    check(io_uring_register_files(&ring_, &file, 1), "io_uring_register_files");
    check(io_uring_register_buffers(&ring_, buffers.data(), static_cast<unsigned>(buffers.size())),
          "io_uring_register_buffers");
  }

  char* buffer(unsigned id) { return memory_ + std::size_t{id} * bytes_; }
  void give_back(unsigned id) {
    io_uring_buf_ring_add(buffers_, buffer(id), bytes_, static_cast<unsigned short>(id),
                          io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }

  io_uring_sqe* entry() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe != nullptr) return sqe;
    check(io_uring_submit(&ring_), "io_uring_submit");
    return io_uring_get_sqe(&ring_);
  }
  void receive_many(int fd, uint64_t user_data) {
    io_uring_sqe* sqe = entry();
    io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = user_data;
  }
  void send(int fd, const char* data, unsigned bytes, uint64_t user_data) {
    io_uring_sqe* sqe = entry();
    io_uring_prep_send(sqe, fd, data, bytes, MSG_WAITALL);
    sqe->user_data = user_data;
  }

  // Submits, waits for one completion at least, and calls `on(cqe)` for each there is.
  template <class F>
  void turn(F on) {
    const int rc = io_uring_submit_and_wait(&ring_, 1);
    if (rc < 0 && rc != -EINTR) check(rc, "io_uring_enter");
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0, seen = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      on(*cqe);
      ++seen;
    }
    io_uring_cq_advance(&ring_, seen);
  }

  ~RawRing() { io_uring_queue_exit(&ring_); }
  RawRing(const RawRing&) = delete;

 private:
  static void check(int rc, const char* what) {
    if (rc >= 0) return;
    errno = -rc;
    die(what);
  }
  static void* pages(std::size_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) die("mmap");
    return p;
  }

  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  char* memory_ = nullptr;
  unsigned count_ = 0, bytes_ = 0;
};

}  // namespace bench::io
