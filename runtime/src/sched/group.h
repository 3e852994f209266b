// SPDX-License-Identifier: Apache-2.0
#pragma once

// One group of tasks of a scheduler: an executor of its own in front of the scheduler's workers, so
// that tasks outside of groups do not know that there are any.
//
// A group has two numbers in task::executor_table: one for entries (they hold a place of
// max_running) and one for all other members. Its tasks are ready in its own queue, from which the
// workers take them in turns (worker_groups.cpp, by GroupSet::pick).
//
// Groups live in slots of the GroupSet, are made when first used and never freed before it, so that
// a worker may look at one at any time. A slot is used again once its handle and its tasks are
// gone.

#include <mutex>

#include "sched/group_admission.h"
#include "sched/group_clock.h"
#include "sched/group_queue.h"
#include "zokio/sched/group_gate.h"
#include "zokio/stats/counter.h"
#include "zokio/stats/histogram.h"

namespace zokio::sched {

class Scheduler;
class GroupSet;

class Group final : public GroupGate, Pinned {
 public:
  Group(Scheduler& scheduler, GroupSet& set, unsigned index);
  ~Group();
  // False: the table of executors is full, the group cannot be used.
  bool usable() const noexcept { return number_ != task::kNoGroup; }

  // Executor, of members that are not entries. Thread: any.
  void schedule(task::Header* task) noexcept override { push(task); }
  bool offload(task::OffloadJob* job) noexcept override;
  void adopt(task::Header* task, const char* name) noexcept override;
  void enlist(task::Header* task) noexcept override;
  void finished(task::Header* task, task::Ending ending) noexcept override;
  uint64_t id_of(const task::Header* task) const noexcept override;

  // GroupGate.
  Result<bool> reserve() noexcept override;
  void unreserve(bool place) noexcept override;
  Admission& admission() noexcept override { return admission_; }
  void make_entry(task::Header* task) noexcept override;
  void move_in(task::Header* task) noexcept override;
  Result<void> charge_memory(uint64_t bytes) noexcept override;
  void uncharge_memory(uint64_t bytes) noexcept override;
  Result<void> set(const GroupOptions& options) override;
  GroupStats stats() const override;
  void release() noexcept override { held_.store(false, std::memory_order_release); }

  // The current task leaves for another executor of the same scheduler.
  void move_out(task::Header* task) noexcept;

  // For the set. ----------------------------------------------------------------------------------

  // Makes an unused group a new one. Requires: the caller holds the set's lock, and !in_use().
  void renew(const GroupOptions& options);
  bool in_use() const noexcept {
    return held_.load(std::memory_order_acquire) || alive_.load(std::memory_order_acquire) != 0;
  }

  // For workers. ----------------------------------------------------------------------------------

  // The next task; null when there is none. `hint`: the worker's slot.
  task::Header* take(unsigned hint) noexcept;
  uint64_t ready() const noexcept { return queue_.size(); }
  unsigned index() const noexcept { return index_; }
  bool has_number(uint16_t number) const noexcept {
    return number == number_ || number == entry_number_;
  }
  Latency latency() const noexcept { return latency_.load(std::memory_order_relaxed); }
  VirtualClock& clock() noexcept { return clock_; }
  unsigned shares() const noexcept { return shares_.load(std::memory_order_relaxed); }
  // So many polls of its tasks took so long, together.
  void polled(uint64_t ns, uint64_t polls) noexcept;

 private:
  // The executor of entries.
  class Entries final : public task::Executor {
   public:
    explicit Entries(Group& group) noexcept : group_(group) {}
    void schedule(task::Header* task) noexcept override { group_.push(task); }
    bool offload(task::OffloadJob* job) noexcept override { return group_.offload(job); }
    void adopt(task::Header* task, const char* name) noexcept override { group_.adopt(task, name); }
    void enlist(task::Header* task) noexcept override { group_.enlist(task); }
    void finished(task::Header* task, task::Ending ending) noexcept override {
      group_.entry_finished(task, ending);
    }
    uint64_t id_of(const task::Header* task) const noexcept override { return group_.id_of(task); }

   private:
    Group& group_;
  };

  void push(task::Header* task) noexcept;
  void wake_a_worker(bool from_worker) noexcept;
  void entry_finished(task::Header* task, task::Ending ending) noexcept;
  void came(task::Header* task) noexcept;
  void went(uint64_t bytes) noexcept;

  // Constant after construction.
  Scheduler& scheduler_;
  GroupSet& set_;
  const unsigned index_;
  Entries entries_{*this};
  const uint16_t number_;
  const uint16_t entry_number_;

  // Any thread, by the rules of their types.
  GroupQueue queue_;
  Admission admission_;
  VirtualClock clock_;
  Atomic<unsigned> shares_{kDefaultShares};
  Atomic<Latency> latency_{Latency::Normal};
  Atomic<uint64_t> max_memory_{0};
  Atomic<uint64_t> memory_{0};
  Atomic<bool> held_{false};
  Atomic<uint64_t> alive_{0};  // its last change is the last touch of a task's end
  Atomic<uint64_t> average_poll_ns_{500};
  stats::Counter spawned_;
  stats::Counter refused_;
  stats::Counter polls_;
  stats::Counter cpu_ns_;
  stats::Histogram delay_ns_;
  // One way from ready to running at a time is measured: the task, null for none, and kClaimed
  // while it is written.
  Atomic<task::Header*> probe_{nullptr};
  int64_t probe_since_ns_ = 0;

  mutable std::mutex mutex_;
  GroupOptions options_;  // guarded by mutex_
  GroupStats base_;       // guarded by mutex_: the counters when the group was made anew
};

}  // namespace zokio::sched
