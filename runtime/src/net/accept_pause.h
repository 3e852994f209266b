// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an accept does that finds no descriptor or memory: the connection stays in the backlog, and
// nothing tells when there is room again, so it waits and tries again, at first soon.
// Thread: the task that accepts.

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "io/driver.h"
#include "zokio/base/clock.h"
#include "zokio/task/context.h"

namespace zokio::net {

class AcceptPause {
 public:
  // True for what passes when others give something back.
  static bool worth(int64_t result) noexcept {
    return result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM;
  }

  // How long to wait before the next attempt; counted.
  Duration next(int64_t result) noexcept {
    task::context().driver->count_accept_pause(static_cast<int>(-result));
    const Duration now = wait_;
    wait_ = std::min<Duration>(wait_ * 2, kLongest);
    return now;
  }

 private:
  static constexpr Duration kLongest = std::chrono::milliseconds(256);
  Duration wait_ = std::chrono::milliseconds(1);
};

}  // namespace zokio::net
