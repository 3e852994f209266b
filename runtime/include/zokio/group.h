// SPDX-License-Identifier: Apache-2.0
#pragma once

// Groups of tasks: shares of the workers, a class of latency, limits, and figures of their own.
//
//   auto batch = Group::create(runtime, {.name = "batch", .shares = 20, .max_running = 100});
//   auto job = batch->spawn(convert, std::move(file));   // Result<JoinHandle<...>>
//
// A task that a task of the group starts, by spawn(), a scope or when_all(), is in the group, too.
// Tasks outside of all groups compete as one group with 100 shares. docs/groups.md has the rules.

#include <memory>
#include <utility>

#include "zokio/sched/group_gate.h"
#include "zokio/spawn.h"

namespace zokio {

class Runtime;

namespace internal {

// An entry that waits for its turn before it starts. Cancelled before that, it starts all the same,
// so that `f` sees the cancellation, and its arguments end as they should.
template <class R, class F, class... A>
Task<R> run_admitted(std::shared_ptr<sched::GroupGate> gate, F f, A... args) {
  const bool let_in = co_await sched::AdmissionTurn(gate->admission());
  if (let_in) gate->make_entry(task::current_task());
  gate.reset();
  co_return co_await std::invoke(f, std::move(args)...);
}

// Gives a reserved place back unless a task came of it.
class Reservation : Pinned {
 public:
  Reservation(sched::GroupGate& gate, bool place) noexcept : gate_(&gate), place_(place) {}
  ~Reservation() {
    if (gate_ != nullptr) gate_->unreserve(place_);
  }
  void use() noexcept { gate_ = nullptr; }

 private:
  sched::GroupGate* gate_;
  bool place_;
};

}  // namespace internal

// Bytes that a task holds besides its frames, counted for its group until this goes. Move-only.
class [[nodiscard]] MemoryLease {
 public:
  MemoryLease(std::shared_ptr<sched::GroupGate> gate, uint64_t bytes) noexcept
      : gate_(std::move(gate)), bytes_(bytes) {}
  MemoryLease(MemoryLease&& other) noexcept = default;
  MemoryLease& operator=(MemoryLease&& other) noexcept {
    if (this != &other) {
      reset();
      gate_ = std::move(other.gate_);
      bytes_ = other.bytes_;
    }
    return *this;
  }
  ~MemoryLease() { reset(); }
  void reset() noexcept {
    if (gate_ != nullptr) std::exchange(gate_, nullptr)->uncharge_memory(bytes_);
  }

 private:
  std::shared_ptr<sched::GroupGate> gate_;
  uint64_t bytes_;
};

// The handle of a group. Its tasks live on without it. Thread: any.
class Group {
 public:
  // Errors: InvalidArgument (shares, max_queued without max_running), ResourceExhausted/Limit (64
  // groups of this runtime are in use).
  static Result<Group> create(Runtime& runtime, const GroupOptions& options);
  explicit Group(std::shared_ptr<sched::GroupGate> gate) noexcept : gate_(std::move(gate)) {}
  Group(Group&& other) noexcept = default;
  Group& operator=(Group&& other) noexcept {
    if (this != &other) {
      reset();
      gate_ = std::move(other.gate_);
    }
    return *this;
  }
  ~Group() { reset(); }

  // Changes all options at once, for tasks that run, too. InvalidArgument as for create().
  Result<void> set(const GroupOptions& options) { return gate_->set(options); }

  // Starts a task in the group, now or when max_running lets it in. Errors:
  // ResourceExhausted/Limit, Error::where naming the limit: "max_queued", "max_memory".
  template <class F, class... A>
    requires internal::Spawnable<F, A...>
  Result<JoinHandle<internal::SpawnResult<F, A...>>> spawn(F f, A... args) {
    return spawn_named("", std::move(f), std::move(args)...);
  }
  // The same with a name (static string) for dumps and diagnostics.
  template <class F, class... A>
    requires internal::Spawnable<F, A...>
  Result<JoinHandle<internal::SpawnResult<F, A...>>> spawn_named(const char* name, F f, A... args) {
    using R = internal::SpawnResult<F, A...>;
    ZOKIO_TRY(const bool place, gate_->reserve());
    internal::Reservation reservation(*gate_, place);
    auto* task = place ? internal::make_task(*gate_, name, std::move(f), std::move(args)...)
                       : internal::make_task(*gate_, name, &internal::run_admitted<R, F, A...>,
                                             gate_, std::move(f), std::move(args)...);
    if (place) gate_->make_entry(task);
    reservation.use();
    JoinHandle<R> handle(task);
    task::wake(task);
    return handle;
  }

  // Counts `bytes` that a task is about to hold. ResourceExhausted/Limit above max_memory.
  Result<MemoryLease> reserve(uint64_t bytes) {
    ZOKIO_CHECKED(gate_->charge_memory(bytes));
    return MemoryLease(gate_, bytes);
  }

  GroupStats stats() const { return gate_->stats(); }

  // Moves the current task to this group, at the end of its queue; it counts as a task that was
  // started by the group's own, so no limit holds it back. What it starts from now on is in this
  // group. Requires: a task of the same runtime.
  class [[nodiscard]] Move {
   public:
    explicit Move(sched::GroupGate& gate) noexcept : gate_(gate) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const noexcept {
      gate_.move_in(task::suspend_current(h));
    }
    void await_resume() const noexcept {}

   private:
    sched::GroupGate& gate_;
  };
  Move move() const noexcept { return Move(*gate_); }

 private:
  void reset() noexcept {
    if (gate_ != nullptr) gate_->release();
  }

  std::shared_ptr<sched::GroupGate> gate_;
};

// `co_await reschedule_on(group)`: the current task goes on in `group`.
inline Group::Move reschedule_on(const Group& group) noexcept {
  return group.move();
}

// `co_await reschedule_on(runtime)`: the current task, of that runtime, leaves its group for none.
class [[nodiscard]] LeaveGroup {
 public:
  explicit LeaveGroup(Runtime& runtime) noexcept : runtime_(runtime) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) const noexcept;
  void await_resume() const noexcept {}

 private:
  Runtime& runtime_;
};
inline LeaveGroup reschedule_on(Runtime& runtime) noexcept {
  return LeaveGroup(runtime);
}

}  // namespace zokio
