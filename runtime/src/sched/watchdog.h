// SPDX-License-Identifier: Apache-2.0
#pragma once

// The watchdog: one thread that looks at the workers while any of them is awake, and sleeps while
// none is, so that an idle runtime costs nothing.
//
// It is the bound behind two economies of the workers: they wake another only when the backlog
// seems worth it, and they measure polls by samples. When one worker stays in one poll, or a
// backlog outlives a look, the watchdog wakes a worker for it. It finds stalls (stall.h), and asks
// for workers in place of those that are stuck (Compensation). It also gives memory that nobody
// needs back to the system, a part at a time (mem::tend); for that it wakes up some more times
// after the last worker fell asleep.

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "sched/stall.h"
#include "zokio/base/atomic.h"
#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"

namespace zokio::sched {

class Scheduler;

// What to do about workers that are stuck in one task.
struct CompensationPolicy {
  Compensation kind = Compensation::Wake;
  unsigned max_extra = 0;                 // ExtraWorker: at most so many
  std::function<void(unsigned)> request;  // of so many; carried out soon, on another thread
};

class Watchdog : Pinned {
 public:
  static constexpr Duration kEvery = std::chrono::milliseconds(4);
  // It sleeps after so many looks in which nobody was awake or had run since the look before:
  // waking it costs the worker that woke up some microseconds before its first task.
  static constexpr unsigned kQuietLooks = 4;
  static constexpr Duration kTendAgain = std::chrono::milliseconds(100);

  explicit Watchdog(Scheduler& scheduler) : scheduler_(scheduler), stalls_(scheduler) {}
  ~Watchdog() { stop(); }

  // Before start().
  void compensate(CompensationPolicy policy) { policy_ = std::move(policy); }
  void start();
  void stop() noexcept;
  // A worker has work again. Thread: any; cheap while the watchdog looks.
  void workers_are_awake() noexcept {
    if (word_.load(std::memory_order_relaxed) == kAsleep) [[unlikely]]
      wake_up();
  }
  // One look. Thread: the watchdog's, or the only one of a simulation.
  // True while there is something to look after.
  bool look() noexcept;

  StallDetector& stalls() noexcept { return stalls_; }
  const StallDetector& stalls() const noexcept { return stalls_; }

 private:
  enum : uint32_t { kLooking, kAsleep, kStopping };

  void run() noexcept;
  void wake_up() noexcept;
  bool ran_lately() noexcept;
  void tend_memory() noexcept;
  void compensate_for(unsigned stuck, bool has_work);

  Scheduler& scheduler_;
  StallDetector stalls_;
  CompensationPolicy policy_;        // constant once started
  Atomic<uint32_t> word_{kLooking};  // futex
  std::thread thread_;
  // The watchdog's own.
  std::vector<uint64_t> polls_seen_;
  bool had_work_ = false;
  bool ran_ = false;  // somebody did between the last two looks
  unsigned quiet_looks_ = 0;
  unsigned extra_ = 0;  // workers asked for
  Instant tend_at_{0};  // mem::tend() is due
};

}  // namespace zokio::sched
