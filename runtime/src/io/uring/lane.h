// SPDX-License-Identifier: Apache-2.0
#pragma once

// One ring of an engine, with what belongs to it and not to the reactor. An engine has one in use;
// a ring that was replaced stays as another until all that is in flight in it has ended.
// Thread: the reactor's owner.

#include <cstdint>
#include <memory>
#include <vector>

#include "io/op_table.h"
#include "io/uring/picked_buffers.h"
#include "os/ring.h"
#include "zokio/base/pinned.h"

namespace zokio::io {

struct Lane : Pinned {
  Lane(std::unique_ptr<os::Ring> r, uint8_t number) noexcept : ring(std::move(r)), id(number) {}

  std::unique_ptr<PickedBuffers> picked;   // made when needed; outlives the ring
  std::unique_ptr<PickedBuffers> leaving;  // the set before, while receives may pick from it
  uint64_t leaving_ops = 0;                // that may
  std::unique_ptr<os::Ring> ring;
  const uint8_t id;                   // Op::engine.lane
  std::vector<OpTable::Key> cancels;  // requests that go out with the next pass
  uint64_t finite_in_flight = 0;      // hold a credit
  uint64_t cancels_in_flight = 0;
  uint64_t bell_value = 0;  // the kernel reads the bell into this
  bool bell_armed = false;
  bool overflow_seen = false;
  bool cannot_pick = false;
  uint64_t ops = 0;  // in flight; only of one that was replaced

  // Of one that was replaced: the ring may go.
  bool empty() const noexcept {
    return ops == 0 && !bell_armed && cancels_in_flight == 0 && cancels.empty();
  }
};

}  // namespace zokio::io
