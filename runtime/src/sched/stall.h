// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds workers that stay in one task, and reports them with their stack.
//
// The watchdog shows each running worker to look() every few milliseconds. A worker whose count of
// polls and whose task are the same as before is inside one poll since then; when that has lasted
// the threshold, without the time in which the system ran other threads, it is a stall. It is
// counted once; the first few of a minute are reported: the task is looked up, the worker's thread
// is asked for its stack by a signal, and the next look makes a report of the answer.
//
// Thread: look(), forget() the watchdog's; configure() and the figures any.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sched/limits.h"
#include "sched/thread_view.h"
#include "zokio/stats/counter.h"
#include "zokio/stats/stall.h"

namespace zokio::sched {

class Scheduler;
class Worker;

class StallDetector : Pinned {
 public:
  // Reports kept for who asks later.
  static constexpr std::size_t kKept = 16;

  explicit StallDetector(Scheduler& scheduler);

  void configure(const StallOptions& options, StallCallback callback);
  std::vector<StallReport> recent() const;
  uint64_t stalls() const noexcept { return stalls_.read(); }
  uint64_t longest_ns() const noexcept { return longest_ns_.load(std::memory_order_relaxed); }

  // Looks at one worker. True when it is stuck longer than the threshold.
  bool look(Worker& worker, int64_t now_ns);
  // The worker sleeps or is gone.
  void forget(uint32_t slot) noexcept;
  // A stack is on its way, so the next look must come.
  bool expects_answer() const noexcept { return asked_ != 0; }

 private:
  struct Options {
    StallOptions options;
    StallCallback callback;
  };
  // What is known of one worker.
  struct Seen {
    uint64_t polls = 0;
    task::Header* task = nullptr;
    int64_t since_ns = 0;     // it was in this poll already
    ThreadView::Times times;  // of its thread at the second look
    uint64_t ran_ns = 0;      // of its thread at the last look
    bool twice = false;       // seen in the same poll twice
    bool counted = false;     // as a stall
    bool asked = false;       // for its stack
    int64_t asked_ns = 0;
    int64_t stuck_ns = 0;  // without the time in which others had the processor
    StallReport report;    // in the making
  };

  Seen& seen(uint32_t slot);
  static bool stuck_for(Worker& worker, Seen& seen, int64_t now_ns, int64_t threshold);
  bool may_report(int64_t now_ns, const StallOptions& options);
  void begin_report(Worker& worker, Seen& seen, int64_t now_ns);
  void identify(Worker& worker, Seen& seen);
  void finish_report(Worker& worker, Seen& seen, int64_t now_ns, bool over);
  void publish(StallReport report);
  std::shared_ptr<const Options> options() const;

  Scheduler& scheduler_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::shared_ptr<const Options> options_;
  std::deque<StallReport> recent_;

  // Written by the watchdog.
  stats::Counter stalls_;
  std::atomic<uint64_t> longest_ns_{0};

  // Watchdog only.
  std::vector<std::unique_ptr<Seen>> seen_;
  unsigned asked_ = 0;  // stacks that are on their way
  int64_t minute_began_ns_ = INT64_MIN / 2;
  unsigned reports_this_minute_ = 0;
};

}  // namespace zokio::sched
