// SPDX-License-Identifier: Apache-2.0
#pragma once

// Changing the ring of a reactor while it works: what is asked, and what came of it. Sent through
// the reactor's inbox and carried out by its owner between two passes.

#include <cstdint>
#include <memory>
#include <string>

#include "io/inbox.h"
#include "zokio/base/atomic.h"

namespace zokio::io {

struct RingRequest {
  unsigned entries = 0;  // of the submission queue, rounded up to a power of two; 0: as they are
  unsigned buffers = 0;  // that receives pick from, likewise; 0: as they are
  bool replace = false;  // a new ring, also where the kernel could resize the old one
};

// What a ring begins with.
struct RingSizes {
  unsigned entries = 256;
  unsigned buffers = 256;  // that receives pick from
};

enum class RingWay : uint8_t { Unchanged, InPlace, Replaced };

struct RingOutcome {
  unsigned from = 0;     // entries
  unsigned reached = 0;  // entries; 0: there is no ring
  unsigned buffers_from = 0;
  unsigned buffers_reached = 0;
  RingWay way = RingWay::Unchanged;
  uint64_t moved = 0;  // operations that wait and were asked to begin anew in the new ring
  std::string reason;  // why not in place, or why not at all: "EINVAL"
  int error = 0;       // errno of what was refused
  bool refused = false;
};

// Who asks may give up waiting, so both hold it; `self` is the owner's share.
struct RingOrder : Message {
  RingOrder() noexcept : Message(Kind::Resize, nullptr) {}

  RingRequest request;
  RingOutcome outcome;       // final when done
  Atomic<uint32_t> done{0};  // a futex
  std::shared_ptr<RingOrder> self;
};

}  // namespace zokio::io
