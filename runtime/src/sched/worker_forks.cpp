// SPDX-License-Identifier: Apache-2.0
//
// A worker and the branches of its running task: when they are shared, who is woken for them, what
// becomes of them when the poll ends, and how a thief takes one. The deque itself is
// zokio/task/fork_deque.h, forks and joins are zokio/task/fork.h.
//
// A task that forks and joins for long stays in one poll. So every kForkLook forks, or when the
// watchdog or another thread wants attention, the worker sees to timers and reactor from within,
// and when others are ready the task goes behind them, with its branches.

#include <algorithm>

#include "base/env.h"
#include "io/reactor.h"
#include "sched/scheduler.h"
#include "sched/worker.h"

namespace zokio::sched {
namespace {

#ifdef ZOKIO_SIM
constexpr uint32_t kForkLook = 4;
#else
constexpr uint32_t kForkLook = 256;
#endif
// A task that forks has the worker for so long while others are ready.
[[maybe_unused]] constexpr Duration kForkSlice = std::chrono::microseconds(200);
// Waking a worker takes its waker 2 to 5 us, and the branch may be done before it arrives: at most
// so often, that is 2 % of the time.
constexpr Duration kForkWakeEvery = std::chrono::microseconds(200);

}  // namespace

bool Worker::look_at_forks() noexcept {
  const bool wanted = attention_.load(std::memory_order_relaxed);
  if (!wanted && !forks_.look_is_due()) return false;
  forks_.look_again_after(kForkLook);
  const int64_t now = env::now_ns();
  if (const uint64_t polls = stats_.polls.read(); forking_poll_ != polls) {
    forking_poll_ = polls;
    forking_since_ns_ = now;
  }
  if (forks_.has_shared())
    wake_for_forks();
  else if (scheduler_.active_workers() > 1)
    forks_.ask();
  if (now - fork_looked_ns_ >= kMaintainEvery.count()) {
    fork_looked_ns_ = now;
    duties_in_place(now);
  }
  // The loop has to come to these.
  if (state() == WorkerState::Retiring || stuck_.load(std::memory_order_relaxed) ||
      reactor_order_.load(std::memory_order_relaxed) != ReactorOrder::None)
    return true;
#ifdef ZOKIO_SIM
  return env::choose(env::Choice::WakeWorth, 4, rng_) == 0;  // no time passes in a poll
#else
  if (now - forking_since_ns_ < kForkSlice.count()) return false;
  forking_since_ns_ = now;
  return has_own_work() || scheduler_.groups().ready();
#endif
}

// Those that make tasks ready. The loop's own clock stays: this is a part of a poll.
void Worker::duties_in_place(int64_t now) noexcept {
  heartbeat_ns_.store(now, std::memory_order_relaxed);
  origin_ = Origin::Timer;
  timers_.expire({now}, kLocalQueueSlots - queue_.size());
  origin_ = Origin::Io;
  if (io::Reactor* reactor = task::context().reactor;
      reactor != nullptr && now - io_polled_ns_ >= kPollIoEvery.count()) {
    io_polled_ns_ = now;
    reactor->poll();
  }
  origin_ = Origin::Local;
}

void Worker::share_forks() noexcept {
  if (!forks_.has_private()) return;  // who asks goes on asking
  forks_.answer();
  if (scheduler_.active_workers() <= 1) return;
  forks_.share();
  wake_for_forks();
}

// No fence between the branches and the look at the idle set: this worker is awake, and looks again
// after kForkLook forks; the watchdog looks after one that comes to no fork.
void Worker::wake_for_forks() noexcept {
  const Idle& idle = scheduler_.idle();
  if (idle.sleeping() == 0 || idle.searching() != 0) return;
  const int64_t now = env::now_ns();
  if (now - fork_wake_ns_ < kForkWakeEvery.count()) return;
  fork_wake_ns_ = now;
  scheduler_.wake_one();
}

void Worker::settle_forks() noexcept {
  // The newest first: that is their order.
  while (task::Promise* branch = forks_.pop()) {
    task::Header* task = task::make_branch_task(branch);
    task::executor_of(task)->schedule_last(task);
  }
  forks_.settle();
}

task::Header* Worker::steal_fork() noexcept {
  const unsigned workers = scheduler_.slots_in_use();
  for (unsigned i = 1; i <= workers; ++i) {
    Worker* victim = scheduler_.slot((last_victim_ + i) % workers);
    if (victim == nullptr || victim == this) continue;
    task::Promise* branch = victim->forks_.steal();
    if (branch == nullptr) continue;
    more_forks_ = victim->forks_.has_shared();
    task::Header* task = task::make_branch_task(branch);
    stats_.steal_hits.add();
    stats_.stolen_tasks.add();
    trace(TraceKind::Steal, nullptr, 1);
    if (task::executor_of(task) == &scheduler_) return task;
    // A group's: it waits for a turn of the group.
    task::executor_of(task)->schedule(task);
    return nullptr;
  }
  return nullptr;
}

}  // namespace zokio::sched
