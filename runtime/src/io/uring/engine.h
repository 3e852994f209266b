// SPDX-License-Identifier: Apache-2.0
#pragma once

// The completion side of a reactor: operations become entries of a ring, and come back as
// completions that name a slot of the reactor's table.
//
// Credits: an operation that will end by itself (disk) is submitted only while there is room for
// its completion, otherwise it waits here. One that waits for the other side (recv, accept) takes
// no credit: behind a full house of waiting ones nothing could ever make them ready. The kernel
// keeps completions that do not fit (NODROP), which is counted.
// Thread: the reactor's owner.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/engine.h"
#include "io/op_list.h"
#include "io/op_table.h"
#include "io/uring/picked_buffers.h"
#include "os/ring.h"

namespace zokio::io {

class UringEngine final : public Engine {
 public:
  UringEngine(Reactor& reactor, std::unique_ptr<os::Ring> ring) noexcept;
  ~UringEngine() override;

  int64_t try_now(Op& op) noexcept override;
  void issue(Op& op) noexcept override;
  void cancel(Op& op) noexcept override;
  void pass(Instant deadline, unsigned limit) noexcept override;
  bool has_work() const noexcept override;
  bool movable(const Op& op) const noexcept override;
  bool quiescent() const noexcept override;
  std::string features() const override { return ring_->features(); }

 private:
  // Op::engine.phase.
  enum Phase : uint8_t { kQueued, kIssued, kPolling };

  io_uring_sqe* entry() noexcept;
  bool has_credit(const Op& op) const noexcept;
  void submit(Op& op) noexcept;
  void use_registered(io_uring_sqe& sqe) noexcept;
  void submit_poll(Op& op) noexcept;
  void submit_queued() noexcept;
  void submit_cancels() noexcept;
  void arm_bell() noexcept;
  void enter(bool wait, Instant deadline) noexcept;
  void fetch(unsigned limit) noexcept;
  void on_completion(const os::Ring::Completion& completion) noexcept;
  void attempt(Op& op) noexcept;
  bool can_pick() noexcept;
  void on_cancel_completion(OpTable::Key key, int32_t result) noexcept;
  void prefetch_ahead() noexcept;
  void on_bell() noexcept;

  // Constant after construction.
  Reactor& reactor_;
  std::unique_ptr<PickedBuffers> picked_;  // made when needed; outlives the ring
  std::unique_ptr<os::Ring> ring_;

  // Owner only.
  OpList queued_;                      // wait for a credit or an entry
  std::vector<OpTable::Key> cancels_;  // requests that go out with the next pass
  uint64_t finite_in_flight_ = 0;      // hold a credit
  uint64_t cancels_in_flight_ = 0;
  uint64_t bell_value_ = 0;  // the kernel reads the bell into this
  bool bell_armed_ = false;
  bool overflow_seen_ = false;
  bool cannot_pick_ = false;
};

}  // namespace zokio::io
