// SPDX-License-Identifier: Apache-2.0
#include "io/uring/engine.h"

#include <algorithm>
#include <cerrno>

#include "io/op.h"
#include "io/reactor.h"
#include "zokio/base/assert.h"
#include "zokio/mem/registered.h"

namespace zokio::io {
namespace {

// user_data: a key of the operation table, the same with the top bit for the request to cancel it,
// or the bell. No key has this slot index.
constexpr uint64_t kCancelBit = uint64_t{1} << 63;
constexpr uint64_t kBellKey = ~kCancelBit;
constexpr uint64_t kBellCancelKey = ~uint64_t{0};

// How often a transient answer is tried again before it is reported. By feel: each try is a round
// trip through the kernel, and what is not over after this many is not transient.
constexpr uint8_t kMaxRetries = 32;

// How many completions ahead the memory of one is fetched: its operation, then what that points to.
// With 1,000 connections nearly all of it is out of the caches: an echo spends 17 % less in user
// space so. With 64 it makes no difference. Six apart hide a miss behind the work for six others.
constexpr unsigned kOpAhead = 16;
constexpr unsigned kTaskAhead = 10;
constexpr unsigned kFrameAhead = 4;

// A splice that is cancelled lets one of the kernel's own numbers out, with which a system call
// asks to be restarted (ERESTARTSYS and its like, 512 to 516): it was interrupted.
int32_t known_errno(int32_t result) noexcept {
  return result <= -512 && result >= -516 ? -EINTR : result;
}

}  // namespace

Result<std::unique_ptr<Engine>> make_uring_engine(Reactor& reactor, const os::UringProbe& probe) {
  ZOKIO_TRY(auto ring,
            os::Ring::open({.entries = probe.entries, .setup_flags = probe.setup_flags}));
  return std::make_unique<UringEngine>(reactor, std::move(ring));
}

UringEngine::UringEngine(Reactor& reactor, std::unique_ptr<os::Ring> ring) noexcept
    : reactor_(reactor), ring_(std::move(ring)) {
  reactor_.counters().registered.store(ReactorCounters::kNotRegistered, std::memory_order_relaxed);
  arm_bell();
}

// The kernel may write bell_value_ until the completion of that read was seen.
UringEngine::~UringEngine() {
  if (!bell_armed_) return;
  io_uring_sqe* sqe = entry();
  ZOKIO_CHECK(sqe != nullptr, "a drained ring has no entry left");
  io_uring_prep_cancel64(sqe, kBellKey, 0);
  sqe->user_data = kBellCancelKey;
  while (bell_armed_) {
    ring_->enter(true, Instant::never());
    os::Ring::Completion completion;
    while (ring_->next_completion(completion)) {
      if (completion.user_data == kBellKey) bell_armed_ = false;
    }
  }
}

io_uring_sqe* UringEngine::entry() noexcept {
  io_uring_sqe* sqe = ring_->next_entry();
  if (sqe != nullptr) return sqe;
  reactor_.counters().sq_full.add();
  enter(false, kNoWait);
  return ring_->next_entry();
}

bool UringEngine::has_credit(const Op& op) const noexcept {
  // Half of the completion queue: the other half is for what waits, cancels and the bell.
  return op.interest() != 0 || finite_in_flight_ < ring_->completion_entries() / 2;
}

// Connections come in bunches, and one for each pass would keep the last of a thousand waiting for
// as many passes. What else waits is cheaper through the ring.
int64_t UringEngine::try_now(Op& op) noexcept {
  return op.kind() == OpKind::Accept ? op.attempt() : -EAGAIN;
}

void UringEngine::issue(Op& op) noexcept {
  op.engine.retries = 0;
  if (!queued_.empty() && op.interest() == 0) {
    op.engine.phase = kQueued;
    queued_.push_back(op);
    return;
  }
  submit(op);
}

// Gives `op` to the kernel, or queues it.
void UringEngine::submit(Op& op) noexcept {
  if (op.traits().picks_buffer && !can_pick()) return submit_poll(op);
  io_uring_sqe* sqe = has_credit(op) ? entry() : nullptr;
  if (sqe == nullptr) {
    op.engine.phase = kQueued;
    queued_.push_back(op);
    return;
  }
  op.encode(*sqe);
  use_registered(*sqe);
  sqe->user_data = reactor_.table().key(op);
  op.engine.phase = kIssued;
  if (op.interest() == 0) ++finite_in_flight_;
}

// A read or write with a buffer of the slab goes by the ring's registered buffer, if it has it.
// Registering is tried once, by the first that could use it.
void UringEngine::use_registered(io_uring_sqe& sqe) noexcept {
  const bool read = sqe.opcode == IORING_OP_READ;
  if (!read && sqe.opcode != IORING_OP_WRITE) return;
  if (!mem::is_registered(reinterpret_cast<const void*>(sqe.addr))) return;
  ReactorCounters& counters = reactor_.counters();
  int state = counters.registered.load(std::memory_order_relaxed);
  if (state == ReactorCounters::kNotRegistered) {
    const MutBytes slab = mem::registered_slab();
    state = ring_->register_buffer(slab.data(), slab.size());
    counters.registered.store(state, std::memory_order_relaxed);
  }
  if (state != 0) return;
  sqe.opcode = read ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
  sqe.buf_index = 0;
  counters.registered_ops.add();
}

// There is something, and no buffer that the kernel could pick.
void UringEngine::attempt(Op& op) noexcept {
  const int64_t result = op.attempt();
  if (result == -EAGAIN)
    submit_poll(op);
  else
    reactor_.complete(op, result);
}

// Opened by the first that needs it: a reactor that receives into buffers of its tasks holds none.
bool UringEngine::can_pick() noexcept {
  if (!picked_ && !cannot_pick_) {
    auto picked = PickedBuffers::open(*ring_);
    if (picked)
      picked_ = *std::move(picked);
    else
      cannot_pick_ = true;
  }
  return picked_ != nullptr;
}

// For descriptors that are non-blocking: older kernels then answer EAGAIN instead of waiting.
void UringEngine::submit_poll(Op& op) noexcept {
  io_uring_sqe* sqe = entry();
  if (sqe == nullptr) {
    op.engine.phase = kQueued;
    queued_.push_back(op);
    return;
  }
  io_uring_prep_poll_add(sqe, op.poll_fd(), static_cast<unsigned>(op.interest()));
  sqe->user_data = reactor_.table().key(op);
  op.engine.phase = kPolling;
}

void UringEngine::submit_queued() noexcept {
  while (Op* op = queued_.front()) {
    if (!has_credit(*op)) return;
    queued_.remove(*op);
    submit(*op);
    if (op->engine.phase == kQueued) return;  // no entry; it went to the end, which is harmless
  }
}

void UringEngine::cancel(Op& op) noexcept {
  if (op.engine.phase == kQueued) {
    queued_.remove(op);
    reactor_.complete(op, -ECANCELED);
    return;
  }
  cancels_.push_back(reactor_.table().key(op));
}

void UringEngine::submit_cancels() noexcept {
  while (!cancels_.empty()) {
    const OpTable::Key key = cancels_.back();
    if (reactor_.table().find(key) == nullptr) {
      cancels_.pop_back();
      continue;
    }
    io_uring_sqe* sqe = entry();
    if (sqe == nullptr) return;
    io_uring_prep_cancel64(sqe, key, 0);
    sqe->user_data = key | kCancelBit;
    ++cancels_in_flight_;
    cancels_.pop_back();
  }
}

void UringEngine::arm_bell() noexcept {
  io_uring_sqe* sqe = entry();
  if (sqe == nullptr) return;  // the next pass tries again
  io_uring_prep_read(sqe, reactor_.bell_fd(), &bell_value_, sizeof bell_value_, 0);
  sqe->user_data = kBellKey;
  bell_armed_ = true;
}

bool UringEngine::has_work() const noexcept {
  return ring_->unsubmitted() != 0 || !cancels_.empty() || !queued_.empty() || !bell_armed_ ||
         ring_->has_work();
}

void UringEngine::pass(Instant deadline, unsigned limit) noexcept {
  if (!bell_armed_) arm_bell();
  submit_cancels();
  submit_queued();
  // A bell that is not armed cannot end a sleep; neither can what could not be submitted.
  const bool wait = deadline != kNoWait && bell_armed_ && cancels_.empty() && !ring_->has_work();
  enter(wait, deadline);
  reactor_.end_sleep();
  fetch(limit);
}

void UringEngine::enter(bool wait, Instant deadline) noexcept {
  reactor_.counters().enters.add();
  const int rc = ring_->enter(wait, deadline);
  switch (rc) {
    case 0:
    case -ETIME:
    case -EINTR:
    case -EAGAIN:  // short of memory; what completes gives some back
    case -EBUSY:   // completions to be fetched first
      break;
    default:
      // EBADR: completions were lost, so operations would hang. The rest: a misused ring.
      ZOKIO_PANIC("io_uring_enter failed");
  }
  const bool overflow = ring_->overflowed();
  if (overflow && !overflow_seen_) reactor_.counters().cq_overflows.add();
  overflow_seen_ = overflow;
}

void UringEngine::fetch(unsigned limit) noexcept {
  os::Ring::Completion completion;
  // Bound: one queue full, so that a flood of completions cannot keep tasks from running.
  unsigned left = std::min(limit, ring_->completion_entries());
  if (left == 0 || !ring_->next_completion(completion)) return;
  reactor_.begin_fetch();
  do {
    prefetch_ahead();
    if (completion.user_data == kBellKey)
      on_bell();
    else if ((completion.user_data & kCancelBit) != 0)
      on_cancel_completion(completion.user_data & ~kCancelBit, completion.result);
    else
      on_completion(completion);
  } while (--left > 0 && ring_->next_completion(completion));
  reactor_.end_fetch();
}

void UringEngine::prefetch_ahead() noexcept {
  const auto ahead = [this](unsigned n) noexcept {
    return reactor_.table().find(ring_->completion_ahead(n, kBellKey));
  };
  if (const Op* op = ahead(kOpAhead)) op->prefetch();
  if (const Op* op = ahead(kTaskAhead)) op->prefetch_task();
  if (const Op* op = ahead(kFrameAhead)) op->prefetch_frame();
}

void UringEngine::on_bell() noexcept {
  reactor_.bell_rang();
  bell_armed_ = false;
  arm_bell();
}

void UringEngine::on_completion(const os::Ring::Completion& completion) noexcept {
  const int32_t result = known_errno(completion.result);
  Op* op = reactor_.table().find(completion.user_data);
  ZOKIO_CHECK(op != nullptr, "a completion for an operation that is not in flight");
  if (op->interest() == 0) --finite_in_flight_;
  const bool cancelling = Reactor::cancelling(*op);
  if (op->engine.phase == kPolling && result >= 0) {
    if (cancelling)
      reactor_.complete(*op, -ECANCELED);
    else if (op->traits().picks_buffer)
      attempt(*op);
    else
      submit(*op);
    return;
  }
  if (completion.has_buffer()) {
    mem::Buffer buffer = picked_->take(completion.buffer());
    if (result > 0) op->picked(std::move(buffer));
  }
  if (result == -ENOBUFS && op->traits().picks_buffer && !cancelling) {
    submit_poll(*op);
    return;
  }
  if ((result == -EAGAIN || result == -EINTR) && !cancelling) {
    if (result == -EAGAIN && op->interest() != 0 && op->kind() != OpKind::Poll) {
      submit_poll(*op);
      return;
    }
    if (op->engine.retries++ < kMaxRetries) {
      submit(*op);
      return;
    }
  }
  reactor_.complete(*op, result);
}

void UringEngine::on_cancel_completion(OpTable::Key key, int32_t result) noexcept {
  --cancels_in_flight_;
  Op* op = reactor_.table().find(key);
  if (result >= 0 || op == nullptr) return;
  // ENOENT or EALREADY while it is here: it is changing hands inside the kernel. One that may wait
  // for ever is asked again; the others end by themselves.
  if (op->interest() != 0 && op->engine.retries++ < kMaxRetries) cancels_.push_back(key);
}

bool UringEngine::movable(const Op& op) const noexcept {
  return op.engine.phase == kQueued || (op.interest() != 0 && op.traits().reissue);
}

bool UringEngine::quiescent() const noexcept {
  return cancels_in_flight_ == 0 && cancels_.empty() && queued_.empty();
}

}  // namespace zokio::io
