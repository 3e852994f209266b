// SPDX-License-Identifier: Apache-2.0
#pragma once

// All groups of a scheduler, and whose turn it is.
//
// Bit i of ready_ is set while group i may have ready tasks. A producer pushes and then looks at
// the bit; who finds the queue empty clears the bit and then looks at the queue again, each with a
// full fence in between: so a task is never in a queue whose bit is not set.
// Thread: any, but create() and what says otherwise.

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "sched/group.h"
#include "zokio/base/cache_line.h"

namespace zokio::sched {

class GroupSet : Pinned {
 public:
  static constexpr unsigned kGroupSlots = 64;

  explicit GroupSet(Scheduler& scheduler) noexcept : scheduler_(scheduler) {}

  // InvalidArgument; ResourceExhausted/Limit when all slots are in use.
  Result<std::shared_ptr<GroupGate>> create(const GroupOptions& options);
  std::vector<GroupStats> stats() const;

  // Whether a group may have ready tasks. What programs without groups pay for them.
  bool ready() const noexcept { return ready_.load(std::memory_order_relaxed) != 0; }
  // `group` has a task that is ready and visible. Contains a full fence.
  void note_ready(const Group& group) noexcept;
  // Puts the group among those of `latency`, on a level with them.
  void set_latency(Group& group, Latency latency) noexcept;
  // Whose number in the table of executors it is; null: none of these.
  Group* owner_of(uint16_t number) const noexcept;

  // The group whose turn it is. Null: nobody's, or that of the tasks outside of groups.
  // `others`: such tasks are ready. `last_resort`: background groups may go, too, because nothing
  // else is ready anywhere.
  Group* pick(bool others, bool last_resort, const GroupTurns& turns) noexcept;
  // A task of the picked group; null when another worker was faster.
  task::Header* take(Group& group, unsigned hint) noexcept;
  // So many polls of its tasks took so long.
  void charge(Group& group, uint64_t ns, uint64_t polls) noexcept;
  // Interactive tasks are ready, and this group is not one of theirs.
  bool has_precedence_over(const Group& group) const noexcept {
    return group.latency() != Latency::Interactive &&
           (ready_.load(std::memory_order_relaxed) &
            interactive_.load(std::memory_order_relaxed)) != 0;
  }
  // The tasks outside of groups have run for so long.
  void charge_others(uint64_t ns) noexcept { others_.charge(normal_.now(), ns, kDefaultShares); }

 private:
  Group* least(uint64_t among, VirtualClock& clock) noexcept;

  Scheduler& scheduler_;

  alignas(kCacheLine) Atomic<uint64_t> ready_{0};
  Atomic<uint64_t> interactive_{0};
  Atomic<uint64_t> background_{0};
  std::array<std::atomic<Group*>, kGroupSlots> slots_{};

  // Where the competition stands, and where the tasks outside of groups do in it.
  alignas(kCacheLine) VirtualClock normal_;
  VirtualClock among_background_;
  VirtualClock others_;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Group>> owned_;  // guarded by mutex_
};

}  // namespace zokio::sched
