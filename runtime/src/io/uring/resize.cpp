// SPDX-License-Identifier: Apache-2.0

// Resizing of a ring that works, and of the set of buffers that its receives pick from.
//
// In place: everything is submitted and fetched, then the kernel exchanges the queues; what is in
// flight does not notice (Linux 6.13, with DEFER_TASKRUN). Otherwise the ring is replaced: see
// engine.h. A set of buffers is always replaced, within its ring: receives that wait are cancelled
// inside and begin anew with the new set.

#include <algorithm>
#include <bit>
#include <cerrno>

#include "io/op.h"
#include "io/reactor.h"
#include "io/uring/engine.h"
#include "io/uring/keys.h"

namespace zokio::io {
namespace {

// Fetching gives back what keeps a ring from being resized; what completes meanwhile can fill it
// again. By feel: who is that busy gets a new ring.
constexpr int kTries = 8;
// Rings that are being given up at a time. More are refused: they hold memory.
constexpr std::size_t kMaxOld = 4;

}  // namespace

RingOutcome UringEngine::resize(const RingRequest& request) noexcept {
  RingOutcome outcome;
  outcome.from = lane_->ring->entries();
  outcome.buffers_from = buffers_;
  int error = 0;
  if (request.entries != 0 &&
      (request.replace || std::bit_ceil(request.entries) != lane_->ring->entries())) {
    error = request.replace ? 0 : resize_in_place(request.entries);
    if (!request.replace && error == 0) {
      outcome.way = RingWay::InPlace;
    } else {
      if (error != 0) outcome.reason = errno_name(-error);
      error = replace(request.entries, outcome);
      if (error == 0) outcome.way = RingWay::Replaced;
    }
  }
  if (error == 0 && request.buffers != 0) error = change_buffers(request.buffers, outcome);
  if (error != 0) {
    outcome.refused = true;
    outcome.error = -error;
    outcome.reason = errno_name(-error);
  }
  outcome.reached = lane_->ring->entries();
  outcome.buffers_reached = buffers_;
  if (outcome.way != RingWay::Unchanged) {
    ReactorCounters& counters = reactor_.counters();
    (outcome.way == RingWay::InPlace ? counters.rings_resized : counters.rings_replaced).add();
  }
  publish_sizes();
  return outcome;
}

int UringEngine::resize_in_place(unsigned entries) noexcept {
  Lane& lane = *lane_;
  int rc = -EBUSY;
  for (int tries = 0; tries < kTries; ++tries) {
    enter(lane, false, kNoWait);
    fetch(lane, UINT32_MAX);
    if (lane.ring->unsubmitted() != 0) continue;  // what was fetched went on
    rc = lane.ring->resize(entries);
    if (rc != -EOVERFLOW && rc != -EBUSY) return rc;
  }
  return rc;
}

// 0 or -errno, and then the ring is what it was.
int UringEngine::replace(unsigned entries, RingOutcome& outcome) noexcept {
  if (old_.size() == kMaxOld || lane_->leaving != nullptr) return -EBUSY;
  auto opened = os::Ring::open({.entries = entries, .setup_flags = lane_->ring->setup_flags()});
  if (!opened) return -opened.error().os_errno;
  Lane& old = *lane_;
  // Before anything goes to the new one: from here on the old ring wakes the reactor by the bell.
  if (const int rc = old.ring->announce(reactor_.bell_fd()); rc < 0) return rc;
  if (old.bell_armed) {
    // Two readers of one bell would be one too many. Without an entry the next pass takes it, and
    // the completion of that is the end of it.
    if (io_uring_sqe* sqe = entry(old)) {
      io_uring_prep_cancel64(sqe, kBellKey, 0);
      sqe->user_data = kBellCancelKey;
      ++old.cancels_in_flight;
    }
  }
  old_.push_back(std::move(lane_));
  lane_ = std::make_unique<Lane>(*std::move(opened), free_lane_id());
  reactor_.counters().registered.store(ReactorCounters::kNotRegistered, std::memory_order_relaxed);
  for (std::size_t i = 0; i < reactor_.table().slots(); ++i) {
    Op* op = reactor_.table().at(i);
    if (op == nullptr || op->engine.phase == kQueued || op->engine.lane != old.id) continue;
    ++old.ops;
    if (ask_to_move(*op, old)) ++outcome.moved;
  }
  arm_bell();
  return 0;
}

uint8_t UringEngine::free_lane_id() const noexcept {
  uint8_t id = 0;
  const auto taken = [&] {
    return std::any_of(old_.begin(), old_.end(), [&](const auto& lane) { return lane->id == id; });
  };
  while (taken()) ++id;
  return id;
}

// What would wait is cancelled in its ring; if nothing was consumed it begins anew.
bool UringEngine::ask_to_move(Op& op, Lane& lane) noexcept {
  if (!movable(op) || Reactor::cancelling(op)) return false;
  op.engine.moving = true;
  op.engine.retries = 0;
  lane.cancels.push_back(reactor_.table().key(op));
  return true;
}

int UringEngine::change_buffers(unsigned count, RingOutcome& outcome) noexcept {
  Lane& lane = *lane_;
  if (count == buffers_) return 0;
  if (lane.picked == nullptr) {  // not needed so far, or not to be had
    buffers_ = count;
    lane.cannot_pick = false;
    return 0;
  }
  if (lane.leaving != nullptr) return -EBUSY;
  const auto group = static_cast<uint16_t>(lane.picked->group() ^ 1);
  if (affordable_buffers(count) != count) return -ENOBUFS;
  auto picked = PickedBuffers::open(*lane.ring, group, count);
  if (!picked) {
    const int error = picked.error().os_errno;
    return error != 0 ? -error : -ENOMEM;
  }
  buffers_ = count;
  lane.leaving = std::move(lane.picked);
  lane.picked = *std::move(picked);
  for (std::size_t i = 0; i < reactor_.table().slots(); ++i) {
    Op* op = reactor_.table().at(i);
    if (op == nullptr || op->engine.phase != kIssued || op->engine.lane != lane.id ||
        !op->traits().picks_buffer)
      continue;
    ++lane.leaving_ops;
    if (ask_to_move(*op, lane)) ++outcome.moved;
  }
  if (lane.leaving_ops == 0) release_leaving(lane);
  return 0;
}

void UringEngine::release_leaving(Lane& lane) noexcept {
  lane.ring->forget_buffers(lane.leaving->group());
  lane.leaving.reset();
}

Lane* UringEngine::lane_of(const Op& op) noexcept {
  if (op.engine.lane == lane_->id) [[likely]]
    return lane_.get();
  for (auto& lane : old_)
    if (lane->id == op.engine.lane) return lane.get();
  return lane_.get();
}

// Submits and fetches what the rings that are being given up have; ends those that are through.
// True when anything has ended.
bool UringEngine::pass_old() noexcept {
  bool found = false;
  for (std::size_t i = 0; i < old_.size();) {
    Lane& lane = *old_[i];
    submit_cancels(lane);
    enter(lane, false, kNoWait);
    found |= lane.ring->has_work();
    fetch(lane, UINT32_MAX);
    if (!lane.empty()) {
      ++i;
      continue;
    }
    found = true;
    old_.erase(old_.begin() + static_cast<std::ptrdiff_t>(i));
    publish_sizes();
  }
  return found;
}

void UringEngine::publish_sizes() noexcept {
  ReactorCounters& counters = reactor_.counters();
  counters.ring_entries.store(lane_->ring->entries(), std::memory_order_relaxed);
  counters.rings_draining.store(static_cast<uint32_t>(old_.size()), std::memory_order_relaxed);
  counters.pick_buffers.store(lane_->picked ? lane_->picked->count() : 0,
                              std::memory_order_relaxed);
}

}  // namespace zokio::io
