// SPDX-License-Identifier: Apache-2.0
#include "time/timers.h"

#include <algorithm>

#include "zokio/base/assert.h"
#include "zokio/task/header.h"

namespace zokio::time {
namespace {

using State = TimerNode::State;

// Nodes that are taken out of the wheel together: enough to overlap the misses on them.
constexpr unsigned kFireBatch = 32;
// Nodes that are settled for each of those batches. A call that fires what it may settles what it
// may.
constexpr unsigned kMoveBatch = kFireBatch * Timers::kMovesPerCall / Timers::kFiresPerCall;

// After how many ticks (17 ms) a node whose mail is not here yet is looked at again.
constexpr uint64_t kMailTicks = 64;

uint64_t tick_ceil(Instant t) noexcept {
  if (t.ns <= 0) return 0;
  const uint64_t tick = (static_cast<uint64_t>(t.ns - 1) >> Timers::kTickShift) + 1;
  return std::min(tick, TimerNode::kMaxTick);
}

}  // namespace

Timers::Timers() noexcept {
  wheel_.pass_to(tick_floor(Instant::now()));
}

Timers::~Timers() {
  ZOKIO_DCHECK(pending() == 0, "timers are armed while their worker goes for good");
  // What is in the mail may be pointed to by a wheel, of this worker or of one that is gone
  // already; nobody looks there any more, so nodes and chunks are only freed.
  for (TimerNode* node : spare_)
    if (node != nullptr) free_node(node);
  for (TimerNode* list : {unread_nodes_, returned_.close()})
    while (list != nullptr) free_node(std::exchange(list, list->next));
  for (Chunk* list : {unread_chunks_, inherited_.close()})
    while (list != nullptr) Chunk::destroy(std::exchange(list, list->next));
}

void Timers::publish() noexcept {
  const uint64_t tick = wheel_.next_tick();
  if (unread_nodes_ != nullptr || unread_chunks_ != nullptr)
    next_ns_ = 0;
  else if (tick > TimerNode::kMaxTick)
    next_ns_ = INT64_MAX;
  else
    next_ns_ = static_cast<int64_t>(tick << kTickShift);
}

// Ordering: relaxed, figures only.
void Timers::settle_accounts(int64_t in_wheel, int64_t correction) noexcept {
  if (in_wheel != 0)
    in_wheel_.store(in_wheel_.load(std::memory_order_relaxed) + in_wheel,
                    std::memory_order_relaxed);
  if (correction != 0) correction_.fetch_add(correction, std::memory_order_relaxed);
}

void Timers::reopen() noexcept {
  closed_ = false;
  open();
}

void Timers::arm(TimerNode* node, Instant deadline) noexcept {
  if (closed_) [[unlikely]]
    reopen();
  node->set_tick(tick_ceil(deadline));
  // Ordering: relaxed; another thread gets the handle by other synchronisation only.
  node->owner.store(this, std::memory_order_relaxed);
  node->state.store(State::Armed, std::memory_order_relaxed);
  wheel_.insert(node);
  settle_accounts(1, 0);
  const auto next = static_cast<int64_t>(wheel_.next_tick() << kTickShift);
  if (next < next_ns_) next_ns_ = next;
}

void Timers::cancel(TimerNode* node) noexcept {
  if (node->place == TimerNode::kDetached) [[unlikely]] {
    *node->entry = nullptr;
    settle_accounts(0, -1);
  } else {
    wheel_.remove(node);
    settle_accounts(-1, 0);
  }
  give_node(node);
}

void Timers::send_back(TimerNode* node) noexcept {
  while (true) {
    // Ordering: acquire; pairs with the release in move_to(), so that whoever gets the node from
    // this mail sees how it was detached.
    Timers* owner = node->owner.load(std::memory_order_acquire);
    owner->settle_accounts(0, -1);
    if (owner->returned_.push(node, node)) return;
    // Its worker has retired, and the node belongs to another one by now.
    owner->settle_accounts(0, 1);
  }
}

// --- Firing -------------------------------------------------------------------------------------

unsigned Timers::work(Instant now, unsigned most) noexcept {
  if (closed_) reopen();
  read_inherited(kMovesPerCall);
  read_returned(kMovesPerCall);
  most = std::min(most, kFiresPerCall);
  const uint64_t tick = tick_floor(now);
  unsigned fired = 0;
  unsigned taken = 0;
  unsigned moves = kMovesPerCall;
  unsigned count;
  do {
    // In turns, so that neither waits for all of the other.
    moves -= wheel_.settle(std::min(kMoveBatch, moves));
    TimerNode* due[kFireBatch];
    count = wheel_.take_due(tick, due, std::min(kFireBatch, most - taken));
    taken += count;
    fired += fire(due, count);
  } while (wheel_.next_tick() <= tick && taken < most && (count > 0 || moves > 0));
  publish();
  return fired;
}

unsigned Timers::fire(TimerNode** due, unsigned count) noexcept {
  for (unsigned i = 0; i < count; ++i) __builtin_prefetch(due[i], 1);
  // A callback of the batch may cancel a timer of the batch: it must find where that one is.
  for (unsigned i = 0; i < count; ++i) {
    due[i]->entry = &due[i];
    due[i]->place = TimerNode::kDetached;
  }
  task::Header* woken[kFireBatch];
  unsigned wakes = 0;
  unsigned calls = 0;
  unsigned gone = 0;
  for (unsigned i = 0; i < count; ++i) {
    TimerNode* node = due[i];
    State armed = State::Armed;
    if (node == nullptr) {
      ++gone;
      continue;
    }
    // Ordering: acquire on success, so that the handle's writes of a re-armed node are visible.
    if (!node->state.compare_exchange_strong(armed, State::Firing, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
      stay_for_mail(node);
    } else if (node->calls != 0) {
      node->fn(static_cast<CallbackNode*>(node)->arg);
      node->state.store(State::Fired, std::memory_order_release);
      ++calls;
    } else {
      task::Header* task = node->task;
      // The frame around the header, too: the task runs soon.
      __builtin_prefetch(task, 1);
      __builtin_prefetch(reinterpret_cast<const char*>(task) + 64, 1);
      woken[wakes++] = task;
      // The last touch: the handle may free the node now.
      node->state.store(State::Fired, std::memory_order_release);
    }
  }
  settle_accounts(-static_cast<int64_t>(wakes + calls + gone), gone);
  for (unsigned i = 0; i < wakes; ++i) task::wake(woken[i]);
  return wakes + calls;
}

// Another thread has cancelled the node and is about to send it back. Until then it has to be in
// the wheel of its owner, so that a hand-over does not miss it.
void Timers::stay_for_mail(TimerNode* node) noexcept {
  node->set_tick(wheel_.now() + kMailTicks);
  wheel_.insert(node);
}

// --- Mail ---------------------------------------------------------------------------------------

void Timers::read_returned(unsigned most) noexcept {
  if (unread_nodes_ == nullptr) unread_nodes_ = returned_.take_all();
  int64_t in_wheel = 0;
  int64_t correction = 0;
  for (unsigned read = 0; unread_nodes_ != nullptr && read < most; ++read) {
    TimerNode* node = std::exchange(unread_nodes_, unread_nodes_->next);
    if (unread_nodes_ != nullptr) __builtin_prefetch(unread_nodes_, 1);
    if (node->owner.load(std::memory_order_acquire) != this) {
      // Sent by a thread that saw the owner before the hand-over.
      ++correction;
      send_back(node);
      continue;
    }
    if (node->place == TimerNode::kDetached) {
      *node->entry = nullptr;  // inherited and not read yet
    } else {
      wheel_.remove(node);
      --in_wheel;
      ++correction;
    }
    free_node(node);
  }
  settle_accounts(in_wheel, correction);
}

void Timers::read_inherited(unsigned most) noexcept {
  if (unread_chunks_ == nullptr) unread_chunks_ = inherited_.take_all();
  int64_t adopted = 0;
  for (unsigned read = 0; unread_chunks_ != nullptr && read < most; ++read) {
    Chunk* chunk = unread_chunks_;
    TimerNode* node = chunk->entries()[--chunk->count];
    if (node != nullptr) {
      wheel_.insert(node);
      ++adopted;
    }
    if (chunk->count == 0) {
      unread_chunks_ = chunk->next;
      Chunk::destroy(chunk);
    }
  }
  settle_accounts(adopted, -adopted);
}

uint64_t Timers::move_to(Timers& to) noexcept {
  // What others have handed to this one goes on with the rest.
  read_inherited(UINT32_MAX);
  unread_chunks_ = inherited_.close();
  read_inherited(UINT32_MAX);
  read_returned(UINT32_MAX);  // which need not move
  Chunk* const all = wheel_.take_all();
  Chunk* last = nullptr;
  int64_t moved = 0;
  for (Chunk* chunk = all; chunk != nullptr; chunk = chunk->next) {
    last = chunk;
    moved += chunk->count;
    for (uint32_t i = 0; i < chunk->count; ++i) {
      TimerNode* node = chunk->entries()[i];
      if (i + 8 < chunk->count) __builtin_prefetch(chunk->entries()[i + 8], 1);
      node->place = TimerNode::kDetached;
      // The last touch of the node and its entry: from here on both are the other worker's.
      // Ordering: release; pairs with the acquire of whoever reads the owner.
      node->owner.store(&to, std::memory_order_release);
    }
  }
  settle_accounts(-moved, 0);
  to.settle_accounts(0, moved);
  if (all != nullptr)
    ZOKIO_CHECK(to.inherited_.push(all, last), "timers are handed to a worker that stays");
  // After this a cancelling thread that comes here is refused, and finds the new owner.
  TimerNode* const late = returned_.close();
  read_returned(UINT32_MAX);
  unread_nodes_ = late;
  read_returned(UINT32_MAX);
  closed_ = true;
  publish();
  return static_cast<uint64_t>(moved);
}

}  // namespace zokio::time
