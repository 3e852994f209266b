// SPDX-License-Identifier: Apache-2.0
#include "io/reactor.h"

#include <cerrno>

#include "base/env.h"
#include "io/driver.h"
#include "io/engine.h"
#include "io/op.h"
#include "io/resize.h"
#include "os/eventfd.h"
#include "os/futex.h"
#include "zokio/base/assert.h"

namespace zokio::io {
namespace {

// About as long in the processor as what else is counted as one.
constexpr uint64_t kBytesOfABudget = uint64_t{8} << 10;

}  // namespace

Reactor::Reactor() noexcept = default;
Reactor::~Reactor() {
  ZOKIO_CHECK(state() == ReactorState::Empty, "a reactor outlives its host");
}

unsigned Reactor::turn(Instant deadline) noexcept {
  return pass(deadline);
}

unsigned Reactor::poll(unsigned limit) noexcept {
  completed_ = 0;
  ends_soon_ = false;
  read_inbox();
  if (retiring()) drain();
  if (engine_->has_work()) engine_->pass(kNoWait, limit);
  return completed_;
}

unsigned Reactor::pass(Instant deadline) noexcept {
  completed_ = 0;
  ends_soon_ = false;
  read_inbox();
  if (retiring()) drain();
  // A wake() since the last turn, a completion just now, or the end of a retirement: no sleep. Nor
  // does one sleep that retires and holds nothing: what still keeps it (a cancel whose operation
  // has ended) goes without an event.
  const bool may_sleep = completed_ == 0 && !drained_ && !(retiring() && table_.size() == 0);
  // Without an operation only wake() can end the sleep, so it needs nothing of the kernel but that:
  // a futex costs a third of what the ring and an eventfd do.
  const bool alone = table_.size() == 0 && engine_->quiescent();
  const bool asleep = begin_sleep(alone ? kDozing : kSleeping) && may_sleep;
  if (asleep && alone) {
    os::futex_wait(bell_state_, kDozing, deadline);
    if (bell_state_.load(std::memory_order_relaxed) == kRung) bell_rang();
  } else {
    engine_->pass(asleep ? deadline : kNoWait, UINT32_MAX);
  }
  // The turn returns now, so what rang meanwhile (a completion that made a task ready) is heard.
  end_sleep();
  return completed_;
}

// Announces a sleep. False when the bell was rung since the last one, which this consumes.
bool Reactor::begin_sleep(Bell how) noexcept {
  uint32_t expected = kAwake;
  // Ordering: seq_cst on both sides. Either the waker sees the sleep and ends it, or this sees
  // Rung; and whoever saw Awake had sent its message before, so the next turn reads it.
  if (bell_state_.compare_exchange_strong(expected, how)) return true;
  bell_state_.exchange(kAwake);
  return false;
}

// A ring since begin_sleep has ended the sleep, and is consumed here; what it announced is read by
// the next pass, which comes before the next sleep. One that is not seen yet stays for that pass.
void Reactor::end_sleep() noexcept {
  if (bell_state_.load(std::memory_order_relaxed) != kAwake) bell_state_.exchange(kAwake);
}

void Reactor::wake() noexcept {
  switch (bell_state_.exchange(kRung)) {
    case kSleeping:
      os::ring_eventfd(bell_.get());
      break;
    case kDozing:
      os::futex_wake(bell_state_, 1);
      break;
    default:
      break;
  }
}

bool Reactor::send(Message* message) noexcept {
  if (!inbox_.push(message)) return false;
  // The message, and with it the operation, may be gone; the slot is not.
  wake();
  return true;
}

void Reactor::read_inbox() noexcept {
  for (Message* message = inbox_.take(); message != nullptr;) {
    Message* next = message->next;
    if (message->kind == Message::Kind::Start) {
      stats_.remote_ops.add();
      start(*message->op);
    } else if (message->kind == Message::Kind::Cancel) {
      on_cancel_message(*message->op);
    } else {
      on_resize_order(*static_cast<RingOrder*>(message));
    }
    message = next;
  }
}

void Reactor::start(Op& op) noexcept {
  if (retiring()) {
    driver_->route(op);
    return;
  }
  if (op.cancel_seen_ || op.cancel_requested()) {
    ++completed_;
    shard_->record(op.traits(), -ECANCELED, 0);
    op.finish(-ECANCELED);
    return;
  }
  ends_soon_ |= op.interest() == 0;
  table_.insert(op);
  stats_.inflight.store(table_.size(), std::memory_order_relaxed);
  stats_.submissions.add();
  engine_->issue(op);
}

bool Reactor::try_now(Op& op) noexcept {
  if (state() != ReactorState::Active) return false;
  const int64_t result = op.traits().cached != Cached::No ? try_cached(op) : engine_->try_now(op);
  if (result == -EAGAIN || result == -EINTR) return false;
  stats_.submissions.add();
  shard_->record(op.traits(), result, static_cast<uint64_t>(env::now_ns() - op.start_ns_));
  op.result_ = result;
  return true;
}

int64_t Reactor::try_cached(Op& op) noexcept {
  // Beside others it goes with them.
  const bool in_a_batch = engine_->batches_files() && (ends_soon_ || completed_ > 1);
  if (op.traits().cached == Cached::Small && in_a_batch) return -EAGAIN;
  if (!cached_first_.worth_it()) return -EAGAIN;
  const int64_t result = op.attempt_cached();
  cached_first_.was(result >= 0);
  // A copy out of the cache takes its time: large ones use the turn of a task up sooner.
  if (result > 0) task::consume_budget(static_cast<uint64_t>(result) / kBytesOfABudget);
  return result;
}

void Reactor::on_cancel_message(Op& op) noexcept {
  // It may make the task ready, on this thread, so the turn must not sleep over it.
  ++completed_;
  if (op.owner_.load(std::memory_order_acquire) != this) {
    driver_->cancel(op);  // it moved; the message follows it
    return;
  }
  op.cancel_seen_ = true;
  if (op.slot_ != kNoOpSlot) engine_->cancel(op);
  op.cancel_delivered();
}

void Reactor::on_resize_order(RingOrder& order) noexcept {
  // Who asked may have given up: the order ends here or there, whichever is later.
  const std::shared_ptr<RingOrder> held = std::move(order.self);
  if (retiring()) {
    order.outcome.refused = true;
    order.outcome.reason = "retiring";
  } else {
    order.outcome = engine_->resize(order.request);
  }
  order.done.store(1, std::memory_order_release);
  os::futex_wake(order.done, 1);
}

void Reactor::begin_fetch() noexcept {
  fetched_ns_ = env::now_ns();
}
void Reactor::end_fetch() noexcept {
  fetched_ns_ = 0;
}

bool Reactor::cancelling(const Op& op) noexcept {
  return op.cancel_seen_ || op.evicting_;
}

void Reactor::complete(Op& op, int64_t result) noexcept {
  table_.remove(op);
  stats_.inflight.store(table_.size(), std::memory_order_relaxed);
  // Nothing was transferred in either case, and the end was asked for.
  if ((result == -EINTR || result == -EAGAIN) && cancelling(op)) result = -ECANCELED;
  if (op.evicting_) {
    op.evicting_ = false;
    if (result == -ECANCELED && !op.cancel_seen_) {
      reissued_.fetch_add(1, std::memory_order_relaxed);
      driver_->route(op);
      return;
    }
  }
  ++completed_;
  const int64_t ended = fetched_ns_ != 0 ? fetched_ns_ : env::now_ns();
  shard_->record(op.traits(), result, static_cast<uint64_t>(ended - op.start_ns_));
  op.finish(result);
}

void Reactor::drain() noexcept {
  if (drained_) return;
  if (!evicted_) {
    evicted_ = true;
    for (std::size_t i = 0; i < table_.slots(); ++i) {
      Op* op = table_.at(i);
      if (op == nullptr || op->cancel_seen_ || !engine_->movable(*op)) continue;
      op->evicting_ = true;
      engine_->cancel(*op);
    }
  }
  if (table_.size() == 0 && engine_->quiescent() && inbox_.try_close()) drained_ = true;
}

}  // namespace zokio::io
