// SPDX-License-Identifier: Apache-2.0
#pragma once

// The readiness side of a reactor: an operation is attempted at once, and when it would block it
// waits in a list of its descriptor until epoll says that trying again is worth it.
//
// One registration for each descriptor. That of a stream is made once, edge-triggered for both
// directions, and what is known of its readiness is kept: an echo costs a receive, a send and a
// share of a wait, and no attempt that would block. A number that was closed and opened again is
// noticed by its generation (os/fd_generation.h).
// Of other descriptors (listeners, pipes, event counters) it is level-triggered and one-shot, with
// the union of what the operations wait for; it is changed when the first one waits and after each
// event that leaves some waiting. A closed descriptor leaves the set by itself; a number that was
// closed and opened again is noticed by ENOENT. Files never come here: they go to the blocking
// pool. Source: readiness that is kept, and forgotten after a short transfer: Tokio's I/O driver.
// Thread: the reactor's owner.

#include <sys/epoll.h>

#include <cstdint>
#include <string>
#include <vector>

#include "io/engine.h"
#include "io/op_list.h"
#include "zokio/os/fd.h"

namespace zokio::io {

class EpollEngine final : public Engine {
 public:
  EpollEngine(Reactor& reactor, os::Fd set) noexcept;

  int64_t try_now(Op& op) noexcept override;
  bool batches_files() const noexcept override { return false; }
  void issue(Op& op) noexcept override;
  void cancel(Op& op) noexcept override;
  void pass(Instant deadline, unsigned limit) noexcept override;
  bool has_work() const noexcept override { return waiting_ != 0; }
  bool movable(const Op&) const noexcept override { return true; }
  bool quiescent() const noexcept override { return true; }
  // There is no ring: events are fetched 256 at a time, and what has come waits in the kernel.
  RingOutcome resize(const RingRequest&) noexcept override { return {.reason = "epoll"}; }
  std::string features() const override { return "edge,oneshot"; }

 private:
  struct Registration {
    OpList waiting;
    uint32_t armed = 0;       // events the kernel will report; 0 after it did
    bool added = false;       // was in the set when last looked
    bool edge = false;        // registered for good
    uint32_t generation = 0;  // of the number, when it was registered for good
    uint32_t ready = 0;       // POLLIN, POLLOUT: may succeed. Only when `edge`
  };

  Registration& registration_of(int fd);
  // Registers the stream for good, unless it is. False with errno.
  bool follow(int fd, Registration& registration) noexcept;
  // Does `op` unless it is known to block.
  int64_t attempt(Op& op, Registration& registration) noexcept;

  bool arm(int fd, Registration& registration) noexcept;
  bool add_or_change(int fd, Registration& registration, epoll_event& event) noexcept;
  void wait_for(Op& op, int fd, Registration& registration) noexcept;
  void on_event(int fd, uint32_t events) noexcept;

  // Constant after construction.
  Reactor& reactor_;
  os::Fd set_;

  // Owner only.
  std::vector<Registration> registrations_;  // by descriptor; grows to the highest number seen
  uint64_t waiting_ = 0;
};

}  // namespace zokio::io
