// SPDX-License-Identifier: Apache-2.0
#include "sched/group_set.h"

#include <bit>

#include "zokio/base/fence.h"

namespace zokio::sched {
namespace {

constexpr uint64_t bit_of(const Group& group) noexcept {
  return uint64_t{1} << group.index();
}

}  // namespace

Result<std::shared_ptr<GroupGate>> GroupSet::create(const GroupOptions& options) {
  std::scoped_lock guard(mutex_);
  std::shared_ptr<Group> group;
  for (const auto& each : owned_) {
    if (each->in_use()) continue;
    group = each;
    break;
  }
  const bool fresh = group == nullptr;
  if (fresh) {
    if (owned_.size() == kGroupSlots) return fail(Errc::ResourceExhausted, "groups", Detail::Limit);
    group = std::make_shared<Group>(scheduler_, *this, static_cast<unsigned>(owned_.size()));
    if (!group->usable()) return fail(Errc::ResourceExhausted, "groups", Detail::Limit);
  }
  ZOKIO_CHECKED(group->set(options));
  group->renew(options);
  if (fresh) {
    slots_[group->index()].store(group.get(), std::memory_order_release);
    owned_.push_back(group);
  }
  return std::shared_ptr<GroupGate>(group);
}

std::vector<GroupStats> GroupSet::stats() const {
  std::scoped_lock guard(mutex_);
  std::vector<GroupStats> out;
  for (const auto& group : owned_)
    if (group->in_use()) out.push_back(group->stats());
  return out;
}

Group* GroupSet::owner_of(uint16_t number) const noexcept {
  for (const auto& slot : slots_) {
    Group* group = slot.load(std::memory_order_acquire);
    if (group == nullptr) break;
    if (group->has_number(number)) return group;
  }
  return nullptr;
}

void GroupSet::set_latency(Group& group, Latency latency) noexcept {
  group.clock().set((latency == Latency::Background ? among_background_ : normal_).now());
  const uint64_t bit = bit_of(group);
  const auto change = [bit](Atomic<uint64_t>& set, bool in) {
    in ? set.fetch_or(bit, std::memory_order_relaxed)
       : set.fetch_and(~bit, std::memory_order_relaxed);
  };
  change(interactive_, latency == Latency::Interactive);
  change(background_, latency == Latency::Background);
}

void GroupSet::note_ready(const Group& group) noexcept {
  full_fence();  // the task before the look at the bit; the other side is in take()
  if ((ready_.load(std::memory_order_relaxed) & bit_of(group)) == 0)
    ready_.fetch_or(bit_of(group), std::memory_order_seq_cst);
}

task::Header* GroupSet::take(Group& group, unsigned hint) noexcept {
  if (task::Header* task = group.take(hint)) return task;
  ready_.fetch_and(~bit_of(group), std::memory_order_seq_cst);
  full_fence();  // the bit before the look at the queue
  if (group.ready() != 0) ready_.fetch_or(bit_of(group), std::memory_order_seq_cst);
  return nullptr;
}

void GroupSet::charge(Group& group, uint64_t ns, uint64_t polls) noexcept {
  const VirtualClock& clock = group.latency() == Latency::Background ? among_background_ : normal_;
  group.clock().charge(clock.now(), ns, group.shares());
  group.polled(ns, polls);
}

Group* GroupSet::least(uint64_t among, VirtualClock& clock) noexcept {
  const uint64_t now = clock.now();
  Group* least = nullptr;
  uint64_t best = 0;
  for (; among != 0; among &= among - 1) {
    // Ordering: acquire; a bit is set after its slot.
    Group* group =
        slots_[static_cast<unsigned>(std::countr_zero(among))].load(std::memory_order_acquire);
    const uint64_t at = group->clock().read(now);
    if (least != nullptr && !is_before(at, best)) continue;
    least = group;
    best = at;
  }
  return least;
}

Group* GroupSet::pick(bool others, bool last_resort, const GroupTurns& turns) noexcept {
  const uint64_t ready = ready_.load(std::memory_order_acquire);
  const uint64_t background = ready & background_.load(std::memory_order_relaxed);
  // Precedence is not part of the competition by shares: it leaves the clock where it is.
  if (turns.interactive.left()) {
    const uint64_t interactive = ready & interactive_.load(std::memory_order_relaxed);
    if (interactive != 0) return least(interactive, normal_);
  }
  if (background != 0 && turns.background.left()) return least(background, among_background_);

  Group* next = least(ready & ~background, normal_);
  const uint64_t now = normal_.now();
  if (others && (next == nullptr || !is_before(next->clock().read(now), others_.read(now)))) {
    normal_.advance(others_.read(now));
    return nullptr;
  }
  if (next != nullptr) {
    normal_.advance(next->clock().read(now));
    return next;
  }
  if (!last_resort || background == 0) return nullptr;
  next = least(background, among_background_);
  among_background_.advance(next->clock().read(among_background_.now()));
  return next;
}

}  // namespace zokio::sched
