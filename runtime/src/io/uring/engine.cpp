// SPDX-License-Identifier: Apache-2.0
#include "io/uring/engine.h"

#include <algorithm>
#include <cerrno>

#include "io/op.h"
#include "io/reactor.h"
#include "io/uring/keys.h"
#include "zokio/base/assert.h"
#include "zokio/mem/registered.h"

namespace zokio::io {
namespace {

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

Result<std::unique_ptr<Engine>> make_uring_engine(Reactor& reactor, const os::UringProbe& probe,
                                                  const RingSizes& sizes) {
  ZOKIO_TRY(auto ring,
            os::Ring::open({.entries = sizes.entries, .setup_flags = probe.setup_flags}));
  return std::make_unique<UringEngine>(reactor, std::move(ring), sizes);
}

UringEngine::UringEngine(Reactor& reactor, std::unique_ptr<os::Ring> ring, RingSizes sizes)
    : reactor_(reactor),
      lane_(std::make_unique<Lane>(std::move(ring), uint8_t{0})),
      buffers_(sizes.buffers) {
  reactor_.counters().registered.store(ReactorCounters::kNotRegistered, std::memory_order_relaxed);
  publish_sizes();
  arm_bell();
}

// The kernel may write bell_value until the completion of that read was seen.
UringEngine::~UringEngine() {
  ZOKIO_CHECK(old_.empty(), "a ring goes while operations are in flight in it");
  for (auto& [key, memory] : left_) reactor_.keep(std::move(memory));
  Lane& lane = *lane_;
  if (!lane.bell_armed) return;
  // A cancel that finds the read changing hands inside the kernel (EALREADY) is no promise that it
  // ends: it is asked for again.
  for (bool asked = false; lane.bell_armed;) {
    if (!asked) {
      io_uring_sqe* sqe = entry();
      ZOKIO_CHECK(sqe != nullptr, "a drained ring has no entry left");
      io_uring_prep_cancel64(sqe, kBellKey, 0);
      sqe->user_data = kBellCancelKey;
      asked = true;
    }
    lane.ring->enter(true, Instant::never());
    os::Ring::Completion completion;
    while (lane.ring->next_completion(completion)) {
      if (completion.user_data == kBellKey) lane.bell_armed = false;
      if (completion.user_data == kBellCancelKey && completion.result < 0) asked = false;
    }
  }
}

io_uring_sqe* UringEngine::entry(Lane& lane) noexcept {
  io_uring_sqe* sqe = lane.ring->next_entry();
  if (sqe != nullptr) return sqe;
  reactor_.counters().sq_full.add();
  enter(lane, false, kNoWait);
  return lane.ring->next_entry();
}

bool UringEngine::has_credit(const Op& op) const noexcept {
  // Half of the completion queue: the other half is for what waits, cancels and the bell.
  return op.interest() != 0 || lane_->finite_in_flight < lane_->ring->completion_entries() / 2;
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
  if (op.traits().picks_buffer) {
    sqe->buf_group = lane_->picked->group();
    op.engine.group = static_cast<uint8_t>(sqe->buf_group);  // 0 or 1
  }
  sqe->user_data = reactor_.table().key(op);
  mark(op, kIssued);
  if (op.interest() == 0) ++lane_->finite_in_flight;
}

void UringEngine::mark(Op& op, Phase phase) noexcept {
  op.engine.phase = phase;
  op.engine.lane = lane_->id;
  op.engine.moving = false;
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
    state = lane_->ring->register_buffer(slab.data(), slab.size());
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
  Lane& lane = *lane_;
  if (lane.picked != nullptr) [[likely]]
    return true;
  if (lane.cannot_pick) return false;
  const unsigned count = affordable_buffers(buffers_);
  auto picked = count != 0 ? PickedBuffers::open(*lane.ring, 0, count)
                           : Result<std::unique_ptr<PickedBuffers>>(
                                 fail(Errc::ResourceExhausted, "receive buffers", Detail::Limit));
  int error = ReactorCounters::kPoolTooSmall;
  if (picked) {
    lane.picked = *std::move(picked);
    error = 0;
  } else {
    lane.cannot_pick = true;
    if (picked.error().os_errno != 0) error = picked.error().os_errno;
  }
  reactor_.counters().pick_error.store(error, std::memory_order_relaxed);
  publish_sizes();
  return lane.picked != nullptr;
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
  mark(op, kPolling);
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
  if (op.traits().notified && leave_memory(op)) return;
  lane_of(op)->cancels.push_back(reactor_.table().key(op));
}

void UringEngine::submit_cancels(Lane& lane) noexcept {
  while (!lane.cancels.empty()) {
    const OpTable::Key key = lane.cancels.back();
    const Op* op = reactor_.table().find(key);
    // It has ended, or begun anew.
    if (op == nullptr || op->engine.lane != lane.id ||
        (!op->engine.moving && !Reactor::cancelling(*op))) {
      lane.cancels.pop_back();
      continue;
    }
    io_uring_sqe* sqe = entry(lane);
    if (sqe == nullptr) return;
    io_uring_prep_cancel64(sqe, key, 0);
    sqe->user_data = key | kCancelBit;
    ++lane.cancels_in_flight;
    lane.cancels.pop_back();
  }
}

void UringEngine::arm_bell() noexcept {
  io_uring_sqe* sqe = entry();
  if (sqe == nullptr) return;  // the next pass tries again
  Lane& lane = *lane_;
  io_uring_prep_read(sqe, reactor_.bell_fd(), &lane.bell_value, sizeof lane.bell_value, 0);
  sqe->user_data = kBellKey;
  lane.bell_armed = true;
}

bool UringEngine::has_work() const noexcept {
  const Lane& lane = *lane_;
  return lane.ring->unsubmitted() != 0 || !lane.cancels.empty() || !queued_.empty() ||
         !lane.bell_armed || !old_.empty() || lane.ring->has_work();
}

void UringEngine::pass(Instant deadline, unsigned limit) noexcept {
  const bool found = !old_.empty() && pass_old();
  Lane& lane = *lane_;
  if (!lane.bell_armed) arm_bell();
  submit_cancels(lane);
  submit_queued();
  // A bell that is not armed cannot end a sleep; neither can what could not be submitted.
  const bool wait = deadline != kNoWait && lane.bell_armed && lane.cancels.empty() && !found &&
                    !lane.ring->has_work();
  enter(lane, wait, deadline);
  reactor_.end_sleep();
  fetch(lane, limit);
}

void UringEngine::enter(Lane& lane, bool wait, Instant deadline) noexcept {
  reactor_.counters().enters.add();
  const int rc = lane.ring->enter(wait, deadline);
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
  const bool overflow = lane.ring->overflowed();
  if (overflow && !lane.overflow_seen) reactor_.counters().cq_overflows.add();
  lane.overflow_seen = overflow;
}

void UringEngine::fetch(Lane& lane, unsigned limit) noexcept {
  os::Ring& ring = *lane.ring;
  os::Ring::Completion completion;
  // Bound: one queue full, so that a flood of completions cannot keep tasks from running.
  unsigned left = std::min(limit, ring.completion_entries());
  if (left == 0 || !ring.next_completion(completion)) return;
  reactor_.begin_fetch();
  do {
    prefetch_ahead(ring);
    if (completion.user_data == kBellKey)
      on_bell(lane);
    else if ((completion.user_data & kCancelBit) != 0)
      on_cancel_completion(lane, completion.user_data & ~kCancelBit, completion.result);
    else
      on_completion(lane, completion);
  } while (--left > 0 && ring.next_completion(completion));
  reactor_.end_fetch();
}

void UringEngine::prefetch_ahead(const os::Ring& ring) noexcept {
  const auto ahead = [&](unsigned n) noexcept {
    return reactor_.table().find(ring.completion_ahead(n, kBellKey));
  };
  if (const Op* op = ahead(kOpAhead)) op->prefetch();
  if (const Op* op = ahead(kTaskAhead)) op->prefetch_task();
  if (const Op* op = ahead(kFrameAhead)) op->prefetch_frame();
}

void UringEngine::on_bell(Lane& lane) noexcept {
  lane.bell_armed = false;
  if (&lane != lane_.get())
    return;  // given up, or it has taken the bell of the ring in use,
             // and telling of that has rung it again
  reactor_.bell_rang();
  arm_bell();
}

void UringEngine::on_completion(Lane& lane, const os::Ring::Completion& completion) noexcept {
  Op* op = reactor_.table().find(completion.user_data);
  if (op == nullptr && completion.is_notification()) {
    std::erase_if(left_, [&](const auto& each) { return each.first == completion.user_data; });
    if (&lane != lane_.get()) --lane.ops;
    return;
  }
  ZOKIO_CHECK(op != nullptr, "a completion for an operation that is not in flight");
  if (op->interest() == 0) --lane.finite_in_flight;
  int32_t result = known_errno(completion.result);
  if (op->traits().notified) [[unlikely]] {
    if (completion.has_more()) {
      op->promised(result);
      if (Reactor::cancelling(*op)) leave_memory(*op);
      return;
    }
    if (completion.is_notification())
      result = static_cast<int32_t>(op->settled(static_cast<uint32_t>(completion.result)));
  }
  if (&lane != lane_.get()) [[unlikely]]
    --lane.ops;
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
  if (op->traits().picks_buffer) take_picked(lane, *op, completion);
  // Without a buffer to pick nothing was consumed: an operation that moves does so.
  if (result == -ENOBUFS && cancelling && op->traits().picks_buffer) result = -ECANCELED;
  // It was to move, and nothing was consumed: it begins anew in the ring in use. Also when it has
  // moved since and a second request came late: nobody who waits for it has asked for its end.
  if (result == -ECANCELED && !cancelling && op->traits().reissue) {
    submit(*op);
    return;
  }
  if (result == -ENOBUFS && op->traits().picks_buffer && !cancelling) {
    if (lane_->picked) lane_->picked->refill();
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

void UringEngine::take_picked(Lane& lane, Op& op, const os::Ring::Completion& completion) noexcept {
  if (op.engine.phase != kIssued) return;
  const bool leaving = lane.leaving != nullptr && op.engine.group == lane.leaving->group();
  if (completion.has_buffer()) {
    mem::Buffer buffer = leaving ? lane.leaving->take_last(completion.buffer())
                                 : lane.picked->take(completion.buffer());
    if (completion.result > 0) op.picked(std::move(buffer));
  }
  if (leaving && --lane.leaving_ops == 0) release_leaving(lane);
}

// The other side may never acknowledge what was sent, so who gives up does not wait for it: the
// memory stays here until the kernel is through with it, and the operation ends with a copy.
bool UringEngine::leave_memory(Op& op) noexcept {
  mem::Buffer memory = op.hand_over();
  if (!memory) return false;
  left_.emplace_back(reactor_.table().key(op), std::move(memory));
  reactor_.complete(op, op.settled(UINT32_MAX));
  return true;
}

void UringEngine::on_cancel_completion(Lane& lane, OpTable::Key key, int32_t result) noexcept {
  --lane.cancels_in_flight;
  Op* op = reactor_.table().find(key);
  if (result >= 0 || op == nullptr || op->engine.lane != lane.id) return;
  // It was asked to move, and has begun anew in this very ring.
  if (!op->engine.moving && !Reactor::cancelling(*op)) return;
  // ENOENT or EALREADY while it is here: it is changing hands inside the kernel. One that may wait
  // for ever is asked again; the others end by themselves.
  if (op->interest() != 0 && op->engine.retries++ < kMaxRetries) lane.cancels.push_back(key);
}

bool UringEngine::movable(const Op& op) const noexcept {
  return op.engine.phase == kQueued || (op.interest() != 0 && op.traits().reissue);
}

bool UringEngine::quiescent() const noexcept {
  return lane_->cancels_in_flight == 0 && lane_->cancels.empty() && queued_.empty() && old_.empty();
}

}  // namespace zokio::io
