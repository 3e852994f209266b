// SPDX-License-Identifier: Apache-2.0
#pragma once

// A reactor: one slot of the driver, and while it is open one ring or one epoll set, owned by the
// thread that opened it.
//
// The slot is never freed, so other threads may hold a Reactor* for as long as the driver lives;
// what they send to a closed one is refused and goes to another. All I/O happens inside turn() and
// poll() on the owner's thread, which submit what was started, fetch what completed, and wake the
// tasks that waited.
//
// A worker hosts one like this (a dedicated thread is Driver::run_dedicated):
//
//   ZOKIO_TRY(auto* reactor, driver.open_reactor(slot, "worker-0"));
//   context().reactor = reactor;
//   loop: every ~61 tasks                 reactor->poll();
//         nothing to run                  reactor->turn(next_timer);     // instead of a futex
//         reactor->retiring() && reactor->drained():
//                                         context().reactor = nullptr;
//                                         driver.close_reactor(*reactor);
//   another thread with work for it       reactor->wake();
//
// Retiring goes on inside turn() and poll(): the host calls them as before until drained().

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/cached_first.h"
#include "io/inbox.h"
#include "io/op_table.h"
#include "io/stats.h"
#include "zokio/base/atomic.h"
#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"
#include "zokio/mem/buffer.h"
#include "zokio/os/fd.h"
#include "zokio/stats/snapshot.h"

namespace zokio::io {

class Driver;
class Engine;
class Op;
struct RingOrder;

class Reactor final : Pinned {
 public:
  Reactor() noexcept;
  ~Reactor();

  // Submits what was started, waits until something completes, wake() is called or `deadline`
  // passes, and completes. Returns the number of operations completed; 0 is normal.
  // A deadline in the past does not wait. Thread: owner.
  unsigned turn(Instant deadline) noexcept;

  // turn() without waiting, and without a system call when there is nothing to submit or to fetch.
  // At most about `limit` operations end; what else has completed waits for the next call.
  // Thread: owner.
  unsigned poll(unsigned limit = UINT32_MAX) noexcept;

  // Makes the present turn() return, or the next one not wait. Never lost, never blocks; costs a
  // system call only when the owner sleeps. Thread: any.
  void wake() noexcept;

  // True from Driver::retire until close_reactor. Thread: any.
  bool retiring() const noexcept { return state() == ReactorState::Draining; }
  // True when a retiring reactor holds nothing any more and accepts nothing: close it now.
  // Thread: owner.
  bool drained() const noexcept { return drained_; }
  // Operations that were moved to other reactors by the last retirement. Thread: any.
  uint64_t reissued() const noexcept { return reissued_.load(std::memory_order_relaxed); }
  // True when something was started since the last pass that ends by itself, perhaps within the
  // system call that submits it (a file that is cached). Thread: owner.
  bool ends_soon() const noexcept { return ends_soon_; }
  // Operations that this reactor holds. Thread: any (exact on the owner's).
  uint64_t in_flight() const noexcept { return stats_.inflight.load(std::memory_order_relaxed); }

  // A wake() waits to be heard by the next turn. For who sleeps in its own way (a simulation).
  bool rung() const noexcept { return bell_state_.load(std::memory_order_acquire) == kRung; }

  ReactorState state() const noexcept { return state_.load(std::memory_order_acquire); }
  uint32_t slot() const noexcept { return slot_; }

  // For operations and the driver. -------------------------------------------------------------

  // Starts a published operation. It may be complete, and gone, when this returns. Thread: owner.
  void start(Op& op) noexcept;
  // Does `op`, which is not published, without waiting, where the engine has a short way for it.
  // False: it would wait, or has to be started. Thread: owner.
  bool try_now(Op& op) noexcept;
  // Hands a message over and wakes the owner. False: closed, not taken. Thread: any.
  bool send(Message* message) noexcept;

  // For engines. -------------------------------------------------------------------------------

  // Ends `op` with what the kernel said (>= 0, or -errno), or moves it elsewhere when that was
  // asked for and nothing was consumed. `op` may be gone afterwards. Thread: owner.
  void complete(Op& op, int64_t result) noexcept;
  // Between the two what completes had ended when the first was called: one look at the clock for
  // all of a batch. Thread: owner.
  void begin_fetch() noexcept;
  void end_fetch() noexcept;
  // True when the end of `op` was asked for, by its task or to move it. Thread: owner.
  static bool cancelling(const Op& op) noexcept;
  // The sleep is over: from here on wake() needs no system call. Called before completions are
  // delivered, because they wake tasks and so this very thread. Thread: owner.
  void end_sleep() noexcept;
  OpTable& table() noexcept { return table_; }
  ReactorCounters& counters() noexcept { return stats_; }
  int bell_fd() const noexcept { return bell_.get(); }
  // Until the driver goes: what the kernel may still read, and will not tell of. Thread: owner.
  void keep(mem::Buffer memory) { kept_.push_back(std::move(memory)); }
  void bell_rang() noexcept { stats_.bells.add(); }

 private:
  friend class Driver;

  unsigned pass(Instant deadline) noexcept;
  void read_inbox() noexcept;
  void on_cancel_message(Op& op) noexcept;
  void on_resize_order(RingOrder& order) noexcept;
  void drain() noexcept;
  int64_t try_cached(Op& op) noexcept;

  // The bell: who sets Rung over Sleeping (in the engine) writes the eventfd, who sets it over
  // Dozing (on this word, as a futex) wakes that.
  enum Bell : uint32_t { kAwake, kSleeping, kDozing, kRung };
  bool begin_sleep(Bell how) noexcept;

  // Constant after the driver was built.
  Driver* driver_ = nullptr;
  uint32_t slot_ = 0;

  // Constant after the slot was first opened.
  os::Fd bell_;
  std::unique_ptr<IoShard> shard_;

  // Any thread, atomic.
  Inbox inbox_;
  Atomic<uint32_t> bell_state_{kAwake};
  std::atomic<ReactorState> state_{ReactorState::Empty};
  std::atomic<uint64_t> reissued_{0};

  // Written by the owner, read by any.
  ReactorCounters stats_;

  // Owner only.
  std::unique_ptr<Engine> engine_;
  OpTable table_;
  std::vector<mem::Buffer> kept_;
  unsigned completed_ = 0;  // in this pass
  bool evicted_ = false;    // the waiting operations were asked to leave
  bool drained_ = false;
  bool ends_soon_ = false;
  int64_t fetched_ns_ = 0;  // 0: not within a fetch
  CachedFirst cached_first_;
};

}  // namespace zokio::io
