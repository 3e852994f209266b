// SPDX-License-Identifier: Apache-2.0
#pragma once

// The timers of one worker: its wheel, which only the worker touches, and its mail, by which other
// threads reach it without a lock:
//   returned    nodes that others cancelled; the worker takes them out of the wheel and frees them
//   inherited   chunks of nodes from a worker that retired
//
// A tick is 2^18 ns (262 us). Deadlines round up to a tick, so a timer is never early and, on an
// idle worker, at most one tick and one wake-up late.
// Thread: the owner, except where it says otherwise. The protocol is in docs/timers.md.

#include "time/closable_stack.h"
#include "time/wheel.h"
#include "zokio/base/cache_line.h"

namespace zokio::time {

class Timers : Pinned {
 public:
  static constexpr unsigned kTickShift = 18;
  // Bounds of one expire(): together some 30 us, so that a burst of a million due timers, or a slot
  // with a million nodes, does not keep the worker from its tasks and its I/O.
  static constexpr unsigned kFiresPerCall = 256;
  static constexpr unsigned kMovesPerCall = 1024;

  Timers() noexcept;
  // Requires: nothing armed; no other thread cancels any more.
  ~Timers();

  // Fires what is due at `now`, at most `most` timers: wakes tasks and calls callbacks; and reads
  // the mail. Bounded, the rest comes with the next call, for which next_deadline() asks at once.
  // Call it on every pass: it also tells the wheel the time. Returns how many fired.
  unsigned expire(Instant now, unsigned most = kFiresPerCall) noexcept {
    if (now < next_deadline()) [[likely]] {
      wheel_.pass_to(tick_floor(now));
      return 0;
    }
    return work(now, most);
  }

  // Whether `t` is ahead of the clock, as far as the last expire() tells: a look at the clock costs
  // more than arming a timer. False: it may be so all the same.
  bool is_ahead(Instant t) const noexcept { return tick_floor(t) > wheel_.now() + 1; }

  // The instant from which on expire() has work; never() when there is none. Never too late; it may
  // be too early after the earliest timer was cancelled.
  Instant next_deadline() const noexcept {
    if (!returned_.empty() || !inherited_.empty()) [[unlikely]]
      return {0};
    return {next_ns_};
  }
  // The same, exactly: for the sleep of the worker.
  Instant park_deadline() noexcept {
    wheel_.look_again();
    publish();
    return next_deadline();
  }

  // Armed timers. Thread: any; exact when nothing is under way.
  uint64_t pending() const noexcept {
    const int64_t sum =
        in_wheel_.load(std::memory_order_relaxed) + correction_.load(std::memory_order_relaxed);
    return sum > 0 ? static_cast<uint64_t>(sum) : 0;
  }

  // Hands every timer to `to`, the timers of another worker, which may be running, and closes the
  // mail; the last use by a retiring worker. Returns how many. The caller wakes the other worker
  // afterwards. Requires: `to` is open and its worker does not retire meanwhile.
  uint64_t move_to(Timers& to) noexcept;
  // Opens the mail again, for the next worker of the slot; before anyone hands timers to it. (Its
  // first arm() or expire() would do it too.) Idempotent. Thread: any.
  void open() noexcept {
    inherited_.open();
    returned_.open();
  }

 private:
  friend class Timer;

  static uint64_t tick_floor(Instant t) noexcept {
    return t.ns > 0 ? static_cast<uint64_t>(t.ns) >> kTickShift : 0;
  }
  TimerNode* take_node(bool calls) noexcept {
    if (TimerNode* node = std::exchange(spare_[calls], nullptr)) return node;
    return new_node(calls);
  }
  void give_node(TimerNode* node) noexcept {
    TimerNode*& spare = spare_[node->calls];
    if (spare == nullptr)
      spare = node;
    else
      free_node(node);
  }
  // Requires: node from take_node(), its target set.
  void arm(TimerNode* node, Instant deadline) noexcept;
  // Takes an armed node out and frees it. Requires: node->owner == this.
  void cancel(TimerNode* node) noexcept;
  // Sends a node that the caller has made Cancelled to its owner. Thread: any.
  static void send_back(TimerNode* node) noexcept;

  unsigned work(Instant now, unsigned most) noexcept;
  unsigned fire(TimerNode** due, unsigned count) noexcept;
  void stay_for_mail(TimerNode* node) noexcept;
  void read_returned(unsigned most) noexcept;
  void read_inherited(unsigned most) noexcept;
  void settle_accounts(int64_t in_wheel, int64_t correction) noexcept;
  void reopen() noexcept;
  void publish() noexcept;

  // The owner's.
  int64_t next_ns_ = INT64_MAX;
  bool closed_ = false;  // by move_to(); the mail is opened with the next use
  // One of each kind, by TimerNode::calls: a timeout that is armed and cancelled over and over asks
  // nobody for memory.
  TimerNode* spare_[2] = {nullptr, nullptr};
  TimerNode* unread_nodes_ = nullptr;  // mail that was taken and not yet worked off
  Chunk* unread_chunks_ = nullptr;
  // Written by the owner, read by anyone.
  Atomic<int64_t> in_wheel_{0};
  Wheel wheel_;

  // Written by any thread.
  alignas(kCacheLine) ClosableStack<TimerNode> returned_;
  ClosableStack<Chunk> inherited_;
  // What pending() has to add to in_wheel_: minus one for a cancelled node that is still in the
  // wheel, plus one for an inherited one that is not in it yet.
  Atomic<int64_t> correction_{0};
};

}  // namespace zokio::time
