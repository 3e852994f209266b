// SPDX-License-Identifier: Apache-2.0
#pragma once

// Recording of trace events: a ring for each worker, which only it writes, and one with a lock for
// everybody else.
//
// Off, it costs nothing of its own: the places that record ask questions that they ask anyway (is
// this poll to be timed, is this wake-up to be measured, is the runtime closing), or are as rare as
// a system call. On, every resumption passes through the loop and reads the clock twice.
// A recording ends by itself: each event has the time, and none is kept behind the end.

#include <array>
#include <atomic>
#include <cstdint>

#include "sched/limits.h"
#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"
#include "zokio/base/spin_lock.h"
#include "zokio/stats/trace.h"

namespace zokio::sched {

// The newest events of one writer. Thread: record() one at a time; the rest any.
class TraceRing : Pinned {
 public:
  static constexpr uint64_t kEvents = 1 << 14;  // 640 KiB

  void record(const TraceEvent& event) noexcept;
  // What comes from now on is a new recording.
  void mark() noexcept { mark_.store(done_.load(std::memory_order_relaxed)); }
  // Appends the events of the recording, and counts those that were overwritten.
  void copy(uint32_t thread, Trace& out) const;

 private:
  using Words = std::array<std::atomic<uint64_t>, 5>;

  // Events ever begun and ever completed: between the two one is being written.
  std::atomic<uint64_t> begun_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> mark_{0};
  std::array<Words, kEvents> words_{};
};

class Tracer : Pinned {
 public:
  ~Tracer();

  // A new recording; one that runs is given up.
  void start(int64_t now_ns, Duration length) noexcept;
  void stop() noexcept { until_ns_.store(0, std::memory_order_relaxed); }
  // The last recording.
  Trace copy() const;

  // Whether an event of that instant is wanted.
  bool wants(int64_t at_ns) const noexcept {
    return at_ns < until_ns_.load(std::memory_order_relaxed);
  }
  // The ring of a worker; null when there is no memory for it. Thread: the worker's.
  TraceRing* ring(uint32_t slot) noexcept;
  // From any other thread.
  void record_outside(const TraceEvent& event) noexcept;

 private:
  std::atomic<int64_t> until_ns_{0};  // 0: off
  SpinLock outside_lock_;
  // Made when first used, by the worker or under outside_lock_; kept for the next recording.
  std::array<std::atomic<TraceRing*>, kWorkerSlots + 1> rings_{};
};

}  // namespace zokio::sched
