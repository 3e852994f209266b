// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring.h"

#include <algorithm>
#include <cstring>

#include "kernel/transfer.h"
#include "zokio/task/context.h"

namespace zokio::sim {
namespace {

// Newer than the headers.
constexpr unsigned kZeroCopyReport = 1u << 3;
constexpr int32_t kZeroCopyCopied = INT32_MIN;

constexpr int64_t kRefused = INT64_MIN;  // EAGAIN although it could wait

bool is_send(uint8_t opcode) {
  return opcode == IORING_OP_SEND_ZC || opcode == IORING_OP_SENDMSG_ZC;
}

bool is_multishot(const io_uring_sqe& entry) {
  return (entry.opcode == IORING_OP_ACCEPT && (entry.ioprio & IORING_ACCEPT_MULTISHOT) != 0) ||
         (entry.opcode == IORING_OP_RECV && (entry.ioprio & IORING_RECV_MULTISHOT) != 0);
}

}  // namespace

RingObject::RingObject(Kernel& kernel, unsigned entries, const io_uring_params& params)
    : Object(kernel),
      flags_(params.flags),
      sq_mask_(entries - 1),
      sq_entries_(entries),
      cq_mask_(params.cq_entries - 1),
      cq_entries_(params.cq_entries),
      array_(entries),
      entries_(entries),
      completions_(params.cq_entries) {
  kernel_.add_ring(this);
}

RingObject::~RingObject() {
  kernel_.remove_ring(this);
}

void RingObject::describe(io_uring& ring, int fd) {
  ring.sq = {};
  ring.sq.khead = &sq_head_;
  ring.sq.ktail = &sq_tail_;
  ring.sq.kring_mask = &sq_mask_;
  ring.sq.kring_entries = &sq_entries_;
  ring.sq.kflags = &sq_flags_;
  ring.sq.kdropped = &sq_dropped_;
  ring.sq.array = array_.data();
  ring.sq.sqes = entries_.data();
  ring.sq.ring_mask = sq_mask_;
  ring.sq.ring_entries = sq_entries_;
  ring.cq = {};
  ring.cq.khead = &cq_head_;
  ring.cq.ktail = &cq_tail_;
  ring.cq.kring_mask = &cq_mask_;
  ring.cq.kring_entries = &cq_entries_;
  ring.cq.kflags = &cq_flags_;
  ring.cq.koverflow = &cq_overflow_;
  ring.cq.cqes = completions_.data();
  ring.cq.ring_mask = cq_mask_;
  ring.cq.ring_entries = cq_entries_;
  ring.flags = flags_;
  ring.ring_fd = ring.enter_ring_fd = fd;
  ring.features = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL;
}

int RingObject::register_buffers(const io_uring_buf_reg& reg) {
  if (!kernel_.options().buffer_rings) return -EINVAL;
  if (buffers_ != nullptr) return -EEXIST;
  buffers_ = reinterpret_cast<io_uring_buf_ring*>(reg.ring_addr);
  buffers_mask_ = reg.ring_entries - 1;
  return 0;
}

int RingObject::enter(unsigned count, unsigned wait, unsigned flags, int64_t deadline) {
  const uint32_t who = task::context().worker;
  if (owner == UINT32_MAX) owner = who;
  if (owner != who) {
    kernel_.blame("a ring is entered by another thread than its own");
    return -EEXIST;
  }
  KernelCounts& counts = kernel_.counts();
  unsigned most = count;
  flush(true);
  if (count > 0 && !kept_.empty()) {
    ++counts.busy;
    return -EBUSY;
  }
  if (kernel_.hit(kernel_.options().busy_one_in, counts.busy)) {
    if (kernel_.rng().below(3) == 0) return -EAGAIN;
    if (wait != 0 && kernel_.rng().below(2) == 0) return -EINTR;
    if (count > 0) most = kernel_.rng().below(count + 1);
  }
  unsigned taken = 0;
  for (; taken < most && sq_head_ != sq_tail_; ++taken, ++sq_head_)
    take(entries_[array_[sq_head_ & sq_mask_]]);
  progress();
  if ((flags & IORING_ENTER_GETEVENTS) != 0) flush(true);
  if (taken < count || wait == 0 || posted() > 0) return static_cast<int>(taken);
  const auto ready = [this] {
    flush(true);
    return posted() > 0;
  };
  const bool woken = kernel_.block(ready, deadline);
  if (taken > 0 || woken) return static_cast<int>(taken);
  return kernel_.now() >= deadline ? -ETIME : -EINTR;
}

void RingObject::take(const io_uring_sqe& entry) {
  if (entry.opcode == IORING_OP_ASYNC_CANCEL) return cancel(entry);
  Operation op;
  op.entry = entry;
  op.order = ++order_;
  op.due = kernel_.now() + kernel_.delay();
  const bool by_name = is_by_name(entry.opcode);
  if (!by_name) op.object = kernel_.find(entry.fd);
  if (entry.opcode == IORING_OP_NOP) return complete(entry.user_data, 0);
  if (entry.opcode >= 64 || ((kernel_.options().unknown_opcodes >> entry.opcode) & 1) != 0)
    return complete(entry.user_data, -EINVAL);
  if (!by_name && !op.object) return complete(entry.user_data, -EBADF);
  operations_.push_back(std::move(op));
}

int64_t RingObject::next_event() const {
  int64_t next = INT64_MAX;
  const int64_t time = kernel_.now();
  for (const Operation& op : operations_)
    if (op.due > time) next = std::min(next, op.due);
  return next;
}

void RingObject::progress() {
  std::vector<Place> places;
  const int64_t time = kernel_.now();
  for (Place at = operations_.begin(); at != operations_.end(); ++at)
    if (at->due <= time) places.push_back(at);
  while (!places.empty()) {
    const std::size_t i = kernel_.rng().below(static_cast<uint32_t>(places.size()));
    attempt(places[i]);
    places[i] = places.back();
    places.pop_back();
  }
  if (!deferred()) flush(true);
}

bool RingObject::attempt(Place at) {
  Operation& op = *at;
  const io_uring_sqe& entry = op.entry;
  if (op.told) {
    if (!end_zero_copy(op)) return false;
    operations_.erase(at);
    return true;
  }
  uint32_t flags = 0;
  int64_t result;
  if (op.doomed && kernel_.rng().below(2) == 0)
    result = -EINTR;
  else if ((entry.flags & IOSQE_BUFFER_SELECT) != 0)
    result = receive_picked(op, flags);
  else
    result = perform(op);
  if (result == kRefused)
    result = -EAGAIN;  // as older kernels answer instead of waiting
  else if (result == -EAGAIN && !ends_by_eagain(entry, op.object.get()))
    return false;
  if (is_send(entry.opcode) && result > 0) {
    op.told = true;
    op.copy = bytes_of(entry).substr(0, static_cast<std::size_t>(result));
    op.due = kernel_.now() + 1 + kernel_.delay();
    complete(entry.user_data, result, IORING_CQE_F_MORE);
    return false;
  }
  // One that goes on ends when something is wrong, at the end of the stream, or for no reason.
  uint64_t ignored = 0;
  if (is_multishot(entry) && (result > 0 || (entry.opcode == IORING_OP_ACCEPT && result == 0)) &&
      !kernel_.hit(kernel_.options().transient_one_in, ignored)) {
    complete(entry.user_data, result, flags | IORING_CQE_F_MORE);
    return false;
  }
  complete(entry.user_data, result, flags);
  operations_.erase(at);
  return true;
}

bool RingObject::end_zero_copy(Operation& op) {
  if (bytes_of(op.entry).substr(0, op.copy.size()) != op.copy)
    kernel_.blame("the bytes of a zero-copy send changed before its second completion");
  const bool report = (op.entry.ioprio & kZeroCopyReport) != 0 && kernel_.rng().below(2) == 0;
  complete(op.entry.user_data, report ? kZeroCopyCopied : 0, IORING_CQE_F_NOTIF);
  return true;
}

int64_t RingObject::receive_picked(Operation& op, uint32_t& flags) {
  if ((op.object->poll() & (POLLIN | POLLERR | POLLHUP)) == 0) return -EAGAIN;
  if (buffers_ == nullptr || buffers_head_ == buffers_->tail) {
    ++kernel_.counts().no_buffers;
    return -ENOBUFS;
  }
  const io_uring_buf& buffer = buffers_->bufs[buffers_head_ & buffers_mask_];
  const std::size_t room = op.entry.len == 0 ? buffer.len : std::min(op.entry.len, buffer.len);
  const int64_t n = op.object->read(reinterpret_cast<char*>(buffer.addr), room, kNoOffset);
  if (n < 0) return n;
  // A stream that has ended may give the buffer back or not.
  if (n == 0 && kernel_.rng().below(2) == 0) return 0;
  flags |= IORING_CQE_F_BUFFER | (static_cast<uint32_t>(buffer.bid) << IORING_CQE_BUFFER_SHIFT);
  ++buffers_head_;
  return n;
}

int64_t RingObject::perform(Operation& op) {
  KernelCounts& counts = kernel_.counts();
  if (op.entry.opcode != IORING_OP_POLL_ADD && op.entry.opcode != IORING_OP_CLOSE &&
      kernel_.hit(kernel_.options().transient_one_in, counts.transients) &&
      (!op.object || op.object->is_file() || (op.object->poll() & (POLLIN | POLLOUT)) != 0)) {
    const bool file = !op.object || op.object->is_file();
    if (file || may_wait(op.entry)) return kernel_.rng().below(2) == 0 ? -EINTR : kRefused;
  }
  return carry_out(kernel_, op.entry, op.object.get());
}

void RingObject::cancel(const io_uring_sqe& entry) {
  KernelCounts& counts = kernel_.counts();
  ++counts.cancels;
  const Place at = std::find_if(operations_.begin(), operations_.end(), [&](const Operation& op) {
    return op.entry.user_data == entry.addr && !op.told;
  });
  if (at == operations_.end()) return complete(entry.user_data, -ENOENT);
  if (!kernel_.hit(kernel_.options().cancel_lost_one_in, counts.cancels_lost)) {
    complete(at->entry.user_data, -ECANCELED);
    operations_.erase(at);
    return complete(entry.user_data, 0);
  }
  // It was just completing, or it is in a thread of the kernel's, which cannot be stopped.
  if (kernel_.rng().below(2) == 0 && attempt(at)) return complete(entry.user_data, -ENOENT);
  at->doomed = true;
  at->due = std::max(at->due, kernel_.now() + kernel_.delay());
  complete(entry.user_data, -EALREADY);
}

// Any order, but for completions of one operation.
void RingObject::complete(uint64_t user_data, int64_t result, uint32_t flags) {
  std::size_t first = done_.size();
  while (first > 0 && done_[first - 1].user_data != user_data) --first;
  const std::size_t at =
      first + kernel_.rng().below(static_cast<uint32_t>(done_.size() - first + 1));
  io_uring_cqe completion{};
  completion.user_data = user_data;
  completion.res = static_cast<int32_t>(result);
  completion.flags = flags;
  done_.insert(done_.begin() + static_cast<std::ptrdiff_t>(at), completion);
  kernel_.changed();
  kernel_.note(user_data * 31 + static_cast<uint64_t>(result));
  if (deferred() || (flags_ & IORING_SETUP_COOP_TASKRUN) != 0)
    if ((flags_ & IORING_SETUP_TASKRUN_FLAG) != 0) sq_flags_ |= IORING_SQ_TASKRUN;
}

void RingObject::flush(bool all) {
  const auto post = [this](std::deque<io_uring_cqe>& from) {
    while (!from.empty() && posted() < cq_entries_) {
      completions_[cq_tail_++ & cq_mask_] = from.front();
      from.pop_front();
    }
  };
  post(kept_);
  if (all && kept_.empty()) post(done_);
  if (all && !done_.empty()) ++kernel_.counts().overflows;
  if (all) kept_.insert(kept_.end(), done_.begin(), done_.end());
  if (all) done_.clear();
  sq_flags_ = kept_.empty() ? 0 : IORING_SQ_CQ_OVERFLOW;
  if (!done_.empty()) sq_flags_ |= IORING_SQ_TASKRUN;
}

std::string RingObject::describe() const {
  std::string out = "ring: " + std::to_string(posted()) + " posted, " +
                    std::to_string(done_.size()) + " done, " + std::to_string(kept_.size()) +
                    " kept;";
  for (const Operation& op : operations_)
    out += " opcode " + std::to_string(op.entry.opcode) + " on " + std::to_string(op.entry.fd) +
           (op.due > kernel_.now() ? " later," : ",");
  return out + "\n";
}

bool RingObject::in_use(const void* data, std::size_t bytes) const {
  return std::any_of(operations_.begin(), operations_.end(), [&](const Operation& op) {
    return touches(op.entry, static_cast<const char*>(data), bytes);
  });
}

}  // namespace zokio::sim
