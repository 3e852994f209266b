// SPDX-License-Identifier: Apache-2.0
//
// A worker's turns with groups. Tasks outside of groups run in the loop as if there were none; at
// each maintenance the worker compares how far they and the groups with ready tasks have got, and
// runs tasks of groups until the others are behind again. A worker without work of its own, and
// with nothing to steal, runs tasks of groups for a while and then looks again.
//
// A group's turn is a few of its polls, so that what workers share (virtual times, counters) is
// written once for all of them. The clock is read after each poll, and charged is the time in which
// the worker had its processor: a thread that is preempted loses 4 ms in one poll, and most often
// in those of the group with the largest share, which had its time taken for it before this.

#include <algorithm>
#include <utility>

#include "base/env.h"
#include "os/switches.h"
#include "sched/scheduler.h"
#include "sched/worker.h"

namespace zokio::sched {
namespace {

#ifdef ZOKIO_SIM
// A step is one poll, or the seed could not choose what happens in between; and nobody waits.
constexpr int64_t kTurnsNs = 0;
constexpr int kTurnPolls = 1;
constexpr int64_t kMayHaveWaitedNs = INT64_MAX;
#else
// As long as this, or one turn, groups keep the loop from its duties.
constexpr int64_t kTurnsNs = kMaintainEvery.count();
constexpr int kTurnPolls = 32;
// Shorter times are charged as they are: the kernel does not preempt for less than a millisecond,
// and a look at what it did costs some microseconds.
constexpr int64_t kMayHaveWaitedNs = 200'000;
#endif
// As long as this, or one poll, a group goes on before others are looked at.
constexpr int64_t kTurnNs = 10'000;

}  // namespace

bool Worker::has_own_work() const noexcept {
  return lifo_.load(std::memory_order_relaxed) != nullptr || !queue_.empty() ||
         !overflow_.empty() || !scheduler_.injector().empty();
}

bool Worker::share_with_groups() noexcept {
  groups_go_on_ = false;
  if (ran_ns_ > 0) {
    const auto used = static_cast<uint64_t>(without_waiting(ran_ns_));
    scheduler_.groups().charge_others(used);
  }
  if (has_own_work()) run_groups(/*last_resort=*/false);
  if (groups_go_on_) polls_left_ = interval_ = 0;
  return groups_go_on_;
}

bool Worker::run_groups(bool last_resort) noexcept {
  GroupSet& groups = scheduler_.groups();
  const int64_t begin = env::now_ns();
  int64_t now = begin;
  turns_.interactive.passed(now - turns_.accrued_ns);
  turns_.background.passed(now - turns_.accrued_ns);
  Group* last = nullptr;
  while (Group* group = groups.pick(has_own_work(), last_resort, turns_)) {
    const int64_t before = now;
    const int polls = run_turn(*group, now);
    if (polls == 0) continue;  // it is not ready any more
    last = group;
    const int64_t used = without_waiting(std::max<int64_t>(now - before, 1));
    groups.charge(*group, static_cast<uint64_t>(used), static_cast<uint64_t>(polls));
    const Latency latency = group->latency();
    if (latency == Latency::Interactive) turns_.interactive.used(used);
    if (latency == Latency::Background) turns_.background.used(used);
    turns_.interactive.passed(now - before);
    turns_.background.passed(now - before);
    if (now - begin < kTurnsNs && !attention_.load(std::memory_order_relaxed)) continue;
    groups_go_on_ = true;
    break;
  }
  turns_.accrued_ns = now;
  if (last_resort) groups_go_on_ = false;  // nobody else waits: the next step looks anew
  if (last == nullptr) return false;
  now_ns_ = now;  // what follows is not theirs
  // A backlog that outlived a turn is worth a worker.
  const Idle& idle = scheduler_.idle();
  if (idle.sleeping() != 0 && idle.searching() == 0 && last->ready() > 1) scheduler_.wake_one();
  return true;
}

// The polls that there were. `now`: the time, before and after.
int Worker::run_turn(Group& group, int64_t& now) noexcept {
  GroupSet& groups = scheduler_.groups();
  const int64_t end = now + kTurnNs;
  int64_t before = now;
  int polls = 0;
  do {
    // Mostly its own part of the queue, now and then the others', so that none is forgotten.
    const unsigned hint = ++turns_.takes % 8 != 0 ? slot_ : turns_.takes / 8;
    task::Header* task = groups.take(group, hint);
    if (task == nullptr) break;
    if (searching_) stop_searching();
    just_woken_ = false;
    // No switch to another task: it may be another group's.
    if (trace_ != nullptr) [[unlikely]]
      run_traced(task);
    else
      resume(task, 0);
    before = now;
    now = env::now_ns();
    ++polls;
  } while (polls < kTurnPolls && now < end && !attention_.load(std::memory_order_relaxed) &&
           !groups.has_precedence_over(group));
  // One of them is enough, as in the loop.
  if (polls > 0 && trace_ == nullptr) stats_.poll_ns.record(static_cast<uint64_t>(now - before));
  return polls;
}

// Of the last `took` nanoseconds those in which this thread had a processor or gave it up itself.
// Waits since the last look count, also those at the ends of sleeps: who lets workers sleep has
// nobody to compete with.
int64_t Worker::without_waiting(int64_t took) noexcept {
  if (took < kMayHaveWaitedNs) [[likely]]
    return took;
  const uint64_t waited = os::processor_wait_ns();
  const auto since = static_cast<int64_t>(waited - std::exchange(waited_ns_, waited));
  return std::max<int64_t>(took - since, 1);
}

}  // namespace zokio::sched
