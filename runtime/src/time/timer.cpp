// SPDX-License-Identifier: Apache-2.0
#include "zokio/time/timer.h"

#include "time/timers.h"
#include "zokio/base/assert.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/context.h"

namespace zokio::time {

using State = TimerNode::State;

namespace {

Timers& current_timers() noexcept {
  Timers* timers = task::context().timers;
  ZOKIO_CHECK(timers != nullptr, "timers are armed on a worker of a runtime");
  return *timers;
}

}  // namespace

bool is_ahead(Instant t) noexcept {
  const Timers* timers = task::context().timers;
  return (timers != nullptr && timers->is_ahead(t)) || t > Instant::now();
}

void Timer::arm(Instant deadline, task::Header* wakes) noexcept {
  if (node_ != nullptr) drop();
  Timers& timers = current_timers();
  node_ = timers.take_node(/*calls=*/false);
  node_->task = wakes;
  timers.arm(node_, deadline);
}

void Timer::arm(Instant deadline, Callback fn, void* arg) noexcept {
  if (node_ != nullptr) drop();
  Timers& timers = current_timers();
  node_ = timers.take_node(/*calls=*/true);
  node_->fn = fn;
  static_cast<CallbackNode*>(node_)->arg = arg;
  timers.arm(node_, deadline);
}

bool Timer::cancel() noexcept {
  if (node_ == nullptr) return true;
  // Ordering: acquire; pairs with the release of Fired, so that what the callback did is visible
  // and the node may be freed.
  State state = node_->state.load(std::memory_order_acquire);
  if (state == State::Fired) return false;
  Timers* owner = node_->owner.load(std::memory_order_acquire);
  if (owner == task::context().timers) {
    // Only this thread changes the owner or makes it fire, so the state stands. Firing: the
    // callback itself, or something that it calls, cancels.
    if (state == State::Firing) return false;
    owner->cancel(std::exchange(node_, nullptr));
    return true;
  }
  for (int spins = 0;; ++spins) {
    if (state == State::Fired) return false;
    if (state == State::Armed) {
      // Ordering: relaxed on success, nothing was published through the state; the mail has its
      // own.
      if (node_->state.compare_exchange_strong(state, State::Cancelled, std::memory_order_relaxed,
                                               std::memory_order_acquire)) {
        Timers::send_back(std::exchange(node_, nullptr));
        return true;
      }
    } else {
      spin_pause(spins);
      state = node_->state.load(std::memory_order_acquire);
    }
  }
}

bool Timer::fired() const noexcept {
  return node_ != nullptr && node_->state.load(std::memory_order_acquire) == State::Fired;
}

task::Header* Timer::cancel_wake_up() noexcept {
  if (node_ == nullptr) return nullptr;
  // Read first: it goes with the node. Only the handle frees one that fired, so the node is there.
  task::Header* task = node_->task;
  return cancel() ? task : nullptr;
}

bool Timer::take_wake_up() noexcept {
  if (node_ == nullptr) return false;
  mem::free_frame(std::exchange(node_, nullptr), sizeof(TimerNode));
  return true;
}

void Timer::drop() noexcept {
  if (cancel()) return;
  ZOKIO_DCHECK(fired(), "a callback destroys its own timer");
  free_node(std::exchange(node_, nullptr));
}

}  // namespace zokio::time
