// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counts down to zero, once, and lets everybody go on who waits for that.
// Thread: count_down and done from any thread, also from outside the runtime.

#include "zokio/base/assert.h"
#include "zokio/sync/event.h"

namespace zokio::sync {

class Latch : Pinned {
 public:
  // Requires: count >= 0.
  explicit Latch(int64_t count) noexcept : left_(count) {
    ZOKIO_CHECK(count >= 0, "a latch counts down from a positive number");
    if (count == 0) zero_.set();
  }

  // Requires: all counts together are at most what it was created with.
  void count_down(int64_t count = 1) noexcept {
    // Ordering: acq_rel chains the counts: who waits sees what was done before each of them.
    const int64_t before = left_.fetch_sub(count, std::memory_order_acq_rel);
    ZOKIO_CHECK(before >= count, "a latch was counted down below zero");
    if (before == count) zero_.set();
  }
  bool done() const noexcept { return zero_.is_set(); }

  // Result<void>: Cancelled when the task was asked to stop first.
  auto wait() noexcept { return zero_.wait(); }

 private:
  Atomic<int64_t> left_;
  Event zero_;
};

}  // namespace zokio::sync
