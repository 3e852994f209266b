// SPDX-License-Identifier: Apache-2.0
#pragma once

// What zokio/group.h needs of a group of tasks: its options, its figures, and the doors through
// which tasks come in. Implemented by src/sched/group.h.

#include <coroutine>
#include <cstdint>
#include <string>

#include "zokio/base/result.h"
#include "zokio/stats/snapshot.h"
#include "zokio/task/executor.h"
#include "zokio/task/wait.h"

namespace zokio {

// How soon a ready task of the group gets a worker. Shares decide among equals.
enum class Latency : uint8_t {
  Interactive,  // before all others, for at most half of a worker's time; by shares beyond that
  Normal,       // by shares
  Background,   // when nothing else is ready, and 1 % of a worker's time in any case
};

struct GroupOptions {
  std::string name = {};
  unsigned shares = 100;  // 1 to 10'000; tasks outside of groups have 100 together
  Latency latency = Latency::Normal;
  unsigned max_running = 0;  // tasks let in by Group::spawn at a time; 0: no limit
  unsigned max_queued = 0;   // tasks that wait for that; 0: no limit. Needs max_running
  uint64_t max_memory = 0;   // bytes, as GroupStats::memory_bytes counts them; 0: no limit
};

namespace sched {

class Admission;

// A task's wait until its group lets it in. Lives in the frame of the task.
class AdmissionTurn : task::Wait {
 public:
  explicit AdmissionTurn(Admission& admission) noexcept : Wait(&kOps), admission_(admission) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> h) noexcept;
  // Whether the task was let in; false when it was cancelled before.
  bool await_resume() noexcept;

 private:
  friend class Admission;
  static void interrupt(Wait* base) noexcept;
  static constexpr task::WaitOps kOps{&interrupt, "group admission"};

  Admission& admission_;
  task::Header* self_ = nullptr;
  // Guarded by the lock of the admission.
  AdmissionTurn* next_ = nullptr;
  AdmissionTurn* prev_ = nullptr;
  bool linked_ = false;
  bool let_in_ = false;
};

// Tasks adopted through it as an Executor are members: they run in the group, and are no concern of
// max_running. Entries are the members that are.
class GroupGate : public task::Executor {
 public:
  // A place for an entry: true when it may start at once, false when it has to wait for its turn.
  // ResourceExhausted/Limit, with the name of the limit, when there is none. Thread: any.
  virtual Result<bool> reserve() noexcept = 0;
  // Gives back what reserve() gave, for a task that was not made after all.
  virtual void unreserve(bool place) noexcept = 0;
  virtual Admission& admission() noexcept = 0;
  // `task`, a member, has a place. Thread: the task's, or its maker's before its first schedule.
  virtual void make_entry(task::Header* task) noexcept = 0;
  // The current task, suspended, leaves its group for this one and is scheduled here.
  virtual void move_in(task::Header* task) noexcept = 0;

  // Memory that members hold and that nobody else could know of.
  virtual Result<void> charge_memory(uint64_t bytes) noexcept = 0;
  virtual void uncharge_memory(uint64_t bytes) noexcept = 0;

  virtual Result<void> set(const GroupOptions& options) = 0;
  virtual GroupStats stats() const = 0;
  // No task comes in any more from outside of the group. The last call.
  virtual void release() noexcept = 0;

 protected:
  ~GroupGate() = default;
};

}  // namespace sched
}  // namespace zokio
