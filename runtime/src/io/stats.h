// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a reactor counts. Lives in the never-freed slot, so the figures only grow, also across
// retirements. Thread: any may read; the reactor's owner writes (the blocking pool's shard has
// several writers and uses the shared forms).

#include <array>
#include <atomic>
#include <cstdint>

#include "io/op.h"
#include "zokio/stats/counter.h"
#include "zokio/stats/histogram.h"

namespace zokio::io {

struct ReactorCounters {
  std::atomic<uint64_t> inflight{0};  // a gauge; the owner stores it
  stats::Counter submissions;
  stats::Counter enters;
  stats::Counter sq_full;
  stats::Counter cq_overflows;
  stats::Counter remote_ops;
  stats::Counter bells;
  stats::Counter registered_ops;
  stats::Counter rings_resized;
  stats::Counter rings_replaced;
  // Gauges; the owner stores them. 0: no ring.
  std::atomic<uint32_t> ring_entries{0};
  std::atomic<uint32_t> rings_draining{0};
  std::atomic<uint32_t> pick_buffers{0};
  // Why there are none: errno, or that the pool has no room for them. 0: nothing is wrong.
  static constexpr int kPoolTooSmall = -1;
  std::atomic<int> pick_error{0};
  // Of the ring that is open: not tried, 0: it has the slab, or -errno. The owner stores it.
  static constexpr int kNotRegistered = 1;
  std::atomic<int> registered{kNotRegistered};
};

// One kind of operation.
struct OpCounters {
  stats::Counter ok;
  stats::Counter error;
  stats::Counter cancelled;
  stats::Counter bytes;
  stats::Histogram duration_ns;
};

// 38 KiB: allocated when a slot is first opened.
struct IoShard {
  std::array<OpCounters, kOpKinds> ops;

  // Requires: one thread at a time.
  void record(const OpTraits& traits, int64_t result, uint64_t duration_ns) noexcept;
  // Thread: any.
  void record_shared(const OpTraits& traits, int64_t result, uint64_t duration_ns) noexcept;
};

}  // namespace zokio::io
