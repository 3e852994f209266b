// SPDX-License-Identifier: Apache-2.0
//
// A worker's turns with groups. Tasks outside of groups run in the loop as if there were none; at
// each maintenance the worker compares how far they and the groups with ready tasks have got, and
// runs tasks of groups until the others are behind again. A worker without work of its own, and
// with nothing to steal, runs tasks of groups for a while and then looks again.
//
// The clock is read for each poll of a group's task, and for nobody else's.

#include "base/env.h"
#include "sched/scheduler.h"
#include "sched/worker.h"

namespace zokio::sched {
namespace {

// As long as this, or one poll, groups keep the loop from its duties.
constexpr int64_t kTurnNs = kMaintainEvery.count();
// In a simulation a step is one poll, or the seed could not choose what happens in between.
#ifdef ZOKIO_SIM
constexpr int kTurnPolls = 1;
#else
constexpr int kTurnPolls = 256;
#endif

}  // namespace

bool Worker::has_own_work() const noexcept {
  return lifo_.load(std::memory_order_relaxed) != nullptr || !queue_.empty() ||
         !overflow_.empty() || !scheduler_.injector().empty();
}

bool Worker::share_with_groups() noexcept {
  groups_go_on_ = false;
  if (ran_ns_ > 0) scheduler_.groups().charge_others(static_cast<uint64_t>(ran_ns_));
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
  for (int polls = 0;;) {
    Group* group = groups.pick(has_own_work(), last_resort, turns_);
    if (group == nullptr) break;
    // Mostly its own part of the queue, now and then the others', so that none is forgotten.
    const unsigned hint = ++turns_.takes % 8 != 0 ? slot_ : turns_.takes / 8;
    task::Header* task = groups.take(*group, hint);
    if (task == nullptr) continue;  // it is not ready any more
    if (searching_) stop_searching();
    just_woken_ = false;
    last = group;
    ++polls;
    // No switch to another task: it may be another group's.
    resume(task, 0);
    const int64_t after = env::now_ns();
    const int64_t took = std::max<int64_t>(after - now, 1);
    now = after;
    groups.charge(*group, static_cast<uint64_t>(took));
    const Latency latency = group->latency();
    if (latency == Latency::Interactive) turns_.interactive.used(took);
    if (latency == Latency::Background) turns_.background.used(took);
    turns_.interactive.passed(took);
    turns_.background.passed(took);
    if (now - begin >= kTurnNs || polls == kTurnPolls ||
        attention_.load(std::memory_order_relaxed)) {
      groups_go_on_ = true;
      break;
    }
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

}  // namespace zokio::sched
