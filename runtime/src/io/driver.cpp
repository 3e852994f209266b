// SPDX-License-Identifier: Apache-2.0
#include "io/driver.h"

#include <linux/io_uring.h>
#include <sched.h>

#include <bit>
#include <cerrno>

#include "io/engine.h"
#include "os/eventfd.h"
#include "zokio/base/assert.h"
#include "zokio/task/context.h"

namespace zokio::io {
namespace {

// The index of the n-th set bit, counted from the lowest. Requires: n < popcount(set).
unsigned nth_bit(uint64_t set, unsigned n) noexcept {
  for (; n > 0; --n) set &= set - 1;
  return static_cast<unsigned>(std::countr_zero(set));
}

}  // namespace

Result<std::unique_ptr<Driver>> Driver::create(DriverOptions options) {
  if (options.ring_entries < kMinRingEntries || options.ring_entries > kMaxRingEntries) {
    return fail(Errc::InvalidArgument, "ring_entries");
  }
  if (options.receive_buffers < kMinPickBuffers || options.receive_buffers > kMaxPickBuffers) {
    return fail(Errc::InvalidArgument, "receive_buffers");
  }
  std::unique_ptr<Driver> driver(new Driver(options));
  driver->pick_buffers_.store(std::bit_ceil(options.receive_buffers), std::memory_order_relaxed);
  for (unsigned i = 0; i < kReactorSlots; ++i) {
    driver->reactors_[i].driver_ = driver.get();
    driver->reactors_[i].slot_ = i;
  }
  if (options.backend == Backend::Epoll) return driver;
  driver->probe_ = os::probe_uring(options.ring_entries);
  if (driver->probe_.usable) {
    driver->backend_ = Backend::Uring;
    driver->ring_entries_.store(driver->probe_.entries, std::memory_order_relaxed);
  } else if (options.backend == Backend::Uring) {
    Error error = Error::from_errno(driver->probe_.error, "io_uring_setup");
    error.code = Errc::Unavailable;
    return fail(error);
  } else {
    driver->fallback_reason_ = driver->probe_.reason;
  }
  const bool native = driver->native(IORING_OP_SEND_ZC);
  if (native) driver->zero_copy_.enable();
  return driver;
}

Driver::~Driver() {
  ZOKIO_CHECK(active() == 0 && room_.empty(), "the driver goes while I/O is in flight");
}

Result<Reactor*> Driver::open_reactor(unsigned slot, std::string_view host) {
  ZOKIO_CHECK(slot < kReactorSlots, "reactor slot out of range");
  Reactor& reactor = reactors_[slot];
  if (reactor.state() != ReactorState::Empty) return fail(Errc::FailedPrecondition, "reactor");
  if (!reactor.bell_) {
    ZOKIO_TRY(reactor.bell_, os::make_eventfd());
  }
  ZOKIO_TRY(auto engine, backend_ == Backend::Uring
                             ? make_uring_engine(reactor, probe_, ring_sizes())
                             : make_epoll_engine(reactor));
  reactor.evicted_ = false;
  reactor.drained_ = false;
  reactor.reissued_.store(0, std::memory_order_relaxed);
  reactor.bell_state_.store(Reactor::kAwake);
  reactor.engine_ = std::move(engine);
  {
    std::scoped_lock lock(mutex_);
    if (!reactor.shard_) reactor.shard_ = std::make_unique<IoShard>();
    hosts_[slot] = host;
    features_[slot] = reactor.engine_->features();
    reactor.inbox_.open();
    reactor.state_.store(ReactorState::Active, std::memory_order_release);
    active_.fetch_or(uint64_t{1} << slot, std::memory_order_acq_rel);
  }
  admit_waiting(reactor);
  return &reactor;
}

bool Driver::retire(unsigned slot) noexcept {
  ZOKIO_CHECK(slot < kReactorSlots, "reactor slot out of range");
  Reactor& reactor = reactors_[slot];
  {
    std::scoped_lock lock(mutex_);
    if (reactor.state() != ReactorState::Active) return false;
    active_.fetch_and(~(uint64_t{1} << slot), std::memory_order_acq_rel);
    reactor.state_.store(ReactorState::Draining, std::memory_order_release);
  }
  reactor.wake();
  return true;
}

void Driver::close_reactor(Reactor& reactor) noexcept {
  ZOKIO_CHECK(reactor.drained(), "a reactor is closed when it is drained");
  reactor.engine_.reset();
  std::scoped_lock lock(mutex_);
  reactor.state_.store(ReactorState::Empty, std::memory_order_release);
}

void Driver::run_dedicated(Reactor& reactor) noexcept {
  task::context().reactor = &reactor;
  while (!reactor.drained()) reactor.turn(Instant::never());
  task::context().reactor = nullptr;
  close_reactor(reactor);
}

bool Driver::blocks(const Op& op) const noexcept {
  return backend_ == Backend::Uring ? op.opcode() == 0 || !probe_.supports(op.opcode())
                                    : op.interest() == 0;
}

void Driver::submit(Op& op) noexcept {
  if (op.blocking()) {
    offload(op);
    return;
  }
  Reactor* local = task::context().reactor;
  if (local != nullptr && local->driver_ == this && local->state() == ReactorState::Active) {
    op.owner_.store(local, std::memory_order_release);
    local->start(op);
    return;
  }
  route(op);
}

void Driver::route(Op& op) noexcept {
  for (;;) {
    const uint64_t set = active_.load(std::memory_order_acquire);
    if (set == 0) {
      std::scoped_lock lock(mutex_);
      if (active_.load(std::memory_order_acquire) != 0) continue;
      op.owner_.store(nullptr, std::memory_order_release);
      op.in_room_ = true;
      room_.push_back(op);
      return;
    }
    const unsigned n =
        next_.fetch_add(1, std::memory_order_relaxed) % static_cast<unsigned>(std::popcount(set));
    Reactor& reactor = reactors_[nth_bit(set, n)];
    op.owner_.store(&reactor, std::memory_order_release);
    // Refused when it was retired and closed since: then it is not in the set any more.
    if (reactor.send(&op.start_message_)) return;
  }
}

void Driver::offload(Op& op) noexcept {
  op.job_.op = &op;
  op.job_.run = &Op::run_blocking;
  if (!task::executor_of(op.task_)->offload(&op.job_)) op.finish(-ECANCELED);
}

void Driver::admit_waiting(Reactor& reactor) noexcept {
  for (;;) {
    Op* op = nullptr;
    {
      std::scoped_lock lock(mutex_);
      op = room_.pop_front();
      if (op == nullptr) return;
      op->in_room_ = false;
      op->owner_.store(&reactor, std::memory_order_release);
    }
    reactor.start(*op);
  }
}

bool Driver::cancel_waiting(Op& op) noexcept {
  {
    std::scoped_lock lock(mutex_);
    if (!op.in_room_) return false;
    op.in_room_ = false;
    room_.remove(op);
  }
  blocking_.record_shared(op.traits(), -ECANCELED, 0);
  op.finish(-ECANCELED);
  op.cancel_delivered();
  return true;
}

void Driver::cancel(Op& op) noexcept {
  // Ends: while the operation is between two holders, each step of its way is taken by a thread
  // that does not wait for this one.
  for (;;) {
    if (op.done()) {
      op.cancel_delivered();
      return;
    }
    Reactor* owner = op.owner_.load(std::memory_order_acquire);
    if (owner != nullptr ? owner->send(&op.cancel_message_) : cancel_waiting(op)) return;
    sched_yield();
  }
}

}  // namespace zokio::io
