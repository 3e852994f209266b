// SPDX-License-Identifier: Apache-2.0
#pragma once

// The completion side of a reactor: operations become entries of a ring, and come back as
// completions that name a slot of the reactor's table.
//
// Credits: an operation that will end by itself (disk) is submitted only while there is room for
// its completion, otherwise it waits here. One that waits for the other side (recv, accept) takes
// no credit: behind a full house of waiting ones nothing could ever make them ready. The kernel
// keeps completions that do not fit (NODROP), which is counted.
//
// A resize is done in place by the kernel, or the ring is replaced: new operations go to the new
// one, what waits in the old one is cancelled inside and begins anew in the new one unless
// something was consumed, and the rest is awaited. Old rings tell of completions through the bell.
// Thread: the reactor's owner.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/engine.h"
#include "io/op_list.h"
#include "io/op_table.h"
#include "io/uring/lane.h"
#include "os/ring.h"

namespace zokio::io {

class UringEngine final : public Engine {
 public:
  UringEngine(Reactor& reactor, std::unique_ptr<os::Ring> ring, RingSizes sizes);
  ~UringEngine() override;

  int64_t try_now(Op& op) noexcept override;
  bool batches_files() const noexcept override { return true; }
  void issue(Op& op) noexcept override;
  void cancel(Op& op) noexcept override;
  void pass(Instant deadline, unsigned limit) noexcept override;
  bool has_work() const noexcept override;
  bool movable(const Op& op) const noexcept override;
  bool quiescent() const noexcept override;
  RingOutcome resize(const RingRequest& request) noexcept override;
  std::string features() const override { return lane_->ring->features(); }

 private:
  // Op::engine.phase.
  enum Phase : uint8_t { kQueued, kIssued, kPolling };

  io_uring_sqe* entry() noexcept { return entry(*lane_); }
  io_uring_sqe* entry(Lane& lane) noexcept;
  bool has_credit(const Op& op) const noexcept;
  void submit(Op& op) noexcept;
  void mark(Op& op, Phase phase) noexcept;
  void use_registered(io_uring_sqe& sqe) noexcept;
  void submit_poll(Op& op) noexcept;
  void submit_queued() noexcept;
  void submit_cancels(Lane& lane) noexcept;
  void arm_bell() noexcept;
  void enter(Lane& lane, bool wait, Instant deadline) noexcept;
  void fetch(Lane& lane, unsigned limit) noexcept;
  void on_completion(Lane& lane, const os::Ring::Completion& completion) noexcept;
  void attempt(Op& op) noexcept;
  bool can_pick() noexcept;
  void prefetch_ahead(const os::Ring& ring) noexcept;
  void take_picked(Lane& lane, Op& op, const os::Ring::Completion& completion) noexcept;
  void on_cancel_completion(Lane& lane, OpTable::Key key, int32_t result) noexcept;
  void on_bell(Lane& lane) noexcept;
  bool leave_memory(Op& op) noexcept;

  // resize.cpp
  int resize_in_place(unsigned entries) noexcept;
  int replace(unsigned entries, RingOutcome& outcome) noexcept;
  int change_buffers(unsigned count, RingOutcome& outcome) noexcept;
  uint8_t free_lane_id() const noexcept;
  Lane* lane_of(const Op& op) noexcept;
  bool ask_to_move(Op& op, Lane& lane) noexcept;
  bool pass_old() noexcept;
  void release_leaving(Lane& lane) noexcept;
  void publish_sizes() noexcept;

  // Constant after construction.
  Reactor& reactor_;

  // Owner only.
  OpList queued_;  // wait for a credit or an entry
  std::unique_ptr<Lane> lane_;
  std::vector<std::unique_ptr<Lane>> old_;  // replaced, and not empty yet
  // What the kernel still reads of sends that have ended, by key.
  std::vector<std::pair<OpTable::Key, mem::Buffer>> left_;
  unsigned buffers_;  // of a set that receives pick from
};

}  // namespace zokio::io
