// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernel side of a reactor: io_uring or epoll. Made on the owner's thread when the reactor
// opens, destroyed there when it closes.
// Thread: owner.

#include <cstdint>
#include <memory>
#include <string>

#include "io/resize.h"
#include "os/kernel.h"
#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"

namespace zokio::io {

class Op;
class Reactor;

class Engine : Pinned {
 public:
  virtual ~Engine() = default;

  // The result of `op`, which nobody else knows yet, when it can be had at once and that is worth
  // the try; -EAGAIN: issue it. Requires: op.interest() != 0.
  virtual int64_t try_now(Op& op) noexcept = 0;
  // True when several operations on files go to the kernel in one call.
  virtual bool batches_files() const noexcept = 0;
  // Begins `op`, which is in the reactor's table. May call Reactor::complete in here.
  virtual void issue(Op& op) noexcept = 0;
  // Asks for the end of `op`. May call Reactor::complete(op, -ECANCELED) in here.
  virtual void cancel(Op& op) noexcept = 0;

  // Submits, fetches and completes; sleeps before that until `deadline` unless it is in the past or
  // there is something to fetch. The reactor's bell ends the sleep. After `limit` completions the
  // rest waits for the next pass.
  virtual void pass(Instant deadline, unsigned limit) noexcept = 0;
  // False when pass() without sleeping would do nothing.
  virtual bool has_work() const noexcept = 0;

  // True when `op` may be cancelled here and issued again elsewhere without harm.
  virtual bool movable(const Op& op) const noexcept = 0;
  // True when nothing of the engine's own is in flight that would need more passes.
  virtual bool quiescent() const noexcept = 0;

  // Changes the size of the ring and of what belongs to it. Called between two passes; may
  // complete operations.
  virtual RingOutcome resize(const RingRequest& request) noexcept = 0;

  virtual std::string features() const = 0;
};

// The instant that never waits.
inline constexpr Instant kNoWait{INT64_MIN};

Result<std::unique_ptr<Engine>> make_uring_engine(Reactor& reactor, const os::UringProbe& probe,
                                                  const RingSizes& sizes);
Result<std::unique_ptr<Engine>> make_epoll_engine(Reactor& reactor);

}  // namespace zokio::io
