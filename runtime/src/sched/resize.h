// SPDX-License-Identifier: Apache-2.0
#pragma once

// The control strand: the one thread that changes how many workers and reactors there are.
//
// Requests are carried out one after the other, in the order they came. Each names one count; the
// strand brings what is into line with what is wanted:
//   reactor j < R is hosted by worker j if placement is inline and j < W, else by a thread of its
//   own
// so a worker that retires gives up its reactor first, and a reactor that loses its worker opens
// again on a thread. Reactor 0 keeps its host for life, so some reactor is always active.

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "io/driver.h"
#include "sched/memory_follower.h"
#include "sched/quota.h"
#include "sched/scheduler.h"
#include "zokio/io/options.h"
#include "zokio/stats/resize_report.h"

namespace zokio::sched {

class ResizeControl : Pinned {
 public:
  // Called on the control thread when the request was carried out.
  using Done = std::move_only_function<void(Result<ResizeReport>)>;
  enum class What : uint8_t { Workers, Reactors, Rings, ReplaceRings, ReceiveBuffers };

  // `driver` null: no reactors. Both outlive this.
  ResizeControl(Scheduler& scheduler, io::Driver* driver, Placement placement);
  ~ResizeControl() { stop(); }

  // Keeps the number of workers within what the cgroup's processor quota pays for: at most what
  // start() or the last request asked for, at least 1. Before start().
  void follow(std::unique_ptr<QuotaFollower> follower) { follower_ = std::move(follower); }
  // Keeps the pools within what the cgroup may use, and answers its shortages. Before start().
  void follow(std::unique_ptr<MemoryFollower> follower) { memory_ = std::move(follower); }
  // Null: not followed.
  MemoryFollower* memory() const noexcept { return memory_.get(); }
  // Processors that the quota pays for; 0: none, or not followed. Thread: any.
  double quota() const noexcept { return follower_ ? follower_->quota() : 0; }

  // First start: on the calling thread, before any request. On an error nothing runs.
  Result<void> start(unsigned workers, unsigned reactors);
  // Errors through `done`: InvalidArgument, ResourceExhausted, DeadlineExceeded/Stalled,
  // Unavailable/Shutdown. Thread: any.
  void request(What what, unsigned count, Done done);
  // So many workers more than were asked for, in place of stuck ones; the last call counts. They
  // host no reactors. Thread: any.
  void compensate(unsigned extra);
  // Refuses what is queued, closes the reactors, ends the strand. Idempotent.
  void stop();

  unsigned workers_desired() const noexcept { return workers_.load(std::memory_order_relaxed); }
  unsigned reactors_desired() const noexcept { return reactors_.load(std::memory_order_relaxed); }
  unsigned workers_extra() const noexcept { return extra_.load(std::memory_order_relaxed); }

 private:
  struct Request {
    What what;
    unsigned count;
    Done done;
  };
  enum class Host : uint8_t { None, Worker, Thread };
  // A reactor on a thread of its own.
  struct Dedicated {
    std::thread thread;
    Atomic<uint32_t> ended{0};  // futex
  };

  void run_thread();
  template <class Wanted>
  bool wait(std::unique_lock<std::mutex>& guard, Wanted wanted);
  void look_at_quota();
  Result<ResizeReport> carry_out(const Request& request);
  Result<ResizeReport> change_rings(const Request& request);
  Result<void> reconcile(unsigned workers, unsigned reactors, ResizeReport& report);
  void reach_extra();
  Host wanted_host(unsigned slot, unsigned workers, unsigned reactors) const noexcept;
  Result<void> open(unsigned slot, Host host);
  Result<void> open_dedicated(unsigned slot);
  Result<void> close(unsigned slot, ResizeReport& report);

  // Constant after construction.
  Scheduler& scheduler_;
  io::Driver* const driver_;
  const Placement placement_;
  std::unique_ptr<QuotaFollower> follower_;
  std::unique_ptr<MemoryFollower> memory_;

  // Written by the strand, read by any.
  std::atomic<unsigned> workers_{0};
  std::atomic<unsigned> reactors_{0};
  std::atomic<unsigned> extra_{0};

  std::mutex mutex_;
  std::condition_variable ready_;
  // Guarded by mutex_.
  std::deque<Request> requests_;
  unsigned extra_wanted_ = 0;
  bool stopping_ = false;

  unsigned asked_workers_ = 1;  // strand only, as the following
  Instant thread_ended_;        // the last of those that the scheduler kept
  // Strand only (start() and stop() run while it does not).
  std::array<Host, io::kReactorSlots> hosts_{};
  std::array<std::unique_ptr<Dedicated>, io::kReactorSlots> dedicated_;
  std::thread thread_;
};

}  // namespace zokio::sched
