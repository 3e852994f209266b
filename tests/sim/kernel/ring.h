// SPDX-License-Identifier: Apache-2.0
#pragma once

// A made-up io_uring: the memory that both sides see, and behind it operations that begin, wait,
// are asked to end and complete, in any order that the real one allows:
//  - a completion is posted at the next enter (DEFER_TASKRUN), until then the flag TASKRUN is set;
//  - what does not fit the queue is kept, and entries are refused with EBUSY meanwhile;
//  - a cancel answers 0, ENOENT (it has completed, perhaps unseen) or EALREADY (it may still end in
//    any way), before or after the operation's own completion;
//  - operations keep what their descriptor meant when they began, whoever closes it;
//  - a zero-copy send has two completions, and the bytes are looked at until the second.
// Source of the rules: the manual pages of liburing, and engines' fights with older kernels.

#include <liburing.h>

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernel/object.h"

namespace zokio::sim {

class RingObject final : public Object {
 public:
  RingObject(Kernel& kernel, unsigned entries, const io_uring_params& params);
  ~RingObject() override;

  void describe(io_uring& ring, int fd);
  int enter(unsigned count, unsigned wait, unsigned flags, int64_t deadline);
  int register_buffers(const io_uring_buf_reg& reg);
  uint32_t poll() override { return posted() > 0 ? POLLIN : 0u; }

  // For the kernel.
  void progress();
  int64_t next_event() const;
  std::string describe() override { return std::as_const(*this).describe(); }
  std::string describe() const;
  bool in_use(const void* data, std::size_t bytes) const;
  std::size_t operations() const { return operations_.size(); }
  bool has_news() override { return posted() > 0 || !done_.empty() || !kept_.empty(); }
  bool has_backlog() const { return sq_head_ != sq_tail_; }

 private:
  struct Operation {
    io_uring_sqe entry{};
    std::shared_ptr<Object> object;
    int64_t due = 0;      // not before
    bool doomed = false;  // a cancel said EALREADY; it may end by EINTR
    bool told = false;    // zero copy: the first completion is out
    std::string copy;     // zero copy: what was sent
    uint64_t order = 0;
  };
  using Place = std::list<Operation>::iterator;

  unsigned posted() const { return cq_tail_ - cq_head_; }
  void take(const io_uring_sqe& entry);
  void cancel(const io_uring_sqe& entry);
  void answer_cancel(uint64_t user_data, int result);
  // Tries it once. True: it has ended and is gone.
  bool attempt(Place at);
  int64_t perform(Operation& op);
  int64_t transfer(Operation& op);
  int64_t receive_picked(Operation& op, uint32_t& flags);
  bool end_zero_copy(Operation& op);
  void complete(uint64_t user_data, int64_t result, uint32_t flags = 0);
  void flush(bool all);
  bool deferred() const { return (flags_ & IORING_SETUP_DEFER_TASKRUN) != 0; }

  const unsigned flags_;
  // Shared memory.
  unsigned sq_head_ = 0, sq_tail_ = 0, sq_mask_, sq_entries_, sq_flags_ = 0, sq_dropped_ = 0;
  unsigned cq_head_ = 0, cq_tail_ = 0, cq_mask_, cq_entries_, cq_flags_ = 0, cq_overflow_ = 0;
  std::vector<unsigned> array_;
  std::vector<io_uring_sqe> entries_;
  std::vector<io_uring_cqe> completions_;

  std::list<Operation> operations_;
  std::deque<io_uring_cqe> done_;  // to be posted
  std::deque<io_uring_cqe> kept_;  // did not fit
  io_uring_buf_ring* buffers_ = nullptr;
  unsigned buffers_mask_ = 0;
  uint16_t buffers_head_ = 0;
  uint64_t order_ = 0;
};

}  // namespace zokio::sim
