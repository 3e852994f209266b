// SPDX-License-Identifier: Apache-2.0
#pragma once

// The readiness side of a reactor: an operation is attempted at once, and when it would block it
// waits in a list of its descriptor until epoll says that trying again is worth it.
//
// One registration for each descriptor, level-triggered and one-shot, with the union of what its
// operations wait for; it is changed when the first one waits and after each event that leaves some
// waiting. A closed descriptor leaves the set by itself; a number that was closed and opened again
// is noticed by ENOENT. Files never come here: they go to the blocking pool.
// Thread: the reactor's owner.

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

  void issue(Op& op) noexcept override;
  void cancel(Op& op) noexcept override;
  void pass(Instant deadline) noexcept override;
  bool has_work() const noexcept override { return waiting_ != 0; }
  bool movable(const Op&) const noexcept override { return true; }
  bool quiescent() const noexcept override { return true; }
  std::string features() const override { return "oneshot"; }

 private:
  struct Registration {
    OpList waiting;
    uint32_t armed = 0;  // events the kernel will report; 0 after it did
    bool added = false;  // was in the set when last looked
  };

  bool arm(int fd, Registration& registration) noexcept;
  void wait_for(Op& op) noexcept;
  void on_event(int fd, uint32_t events) noexcept;
  int wait(Instant deadline) noexcept;

  // Constant after construction.
  Reactor& reactor_;
  os::Fd set_;

  // Owner only.
  std::vector<Registration> registrations_;  // by descriptor; grows to the highest number seen
  uint64_t waiting_ = 0;
};

}  // namespace zokio::io
