// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs of slots for spans, out of chunks mapped from the system; all pools share them, and there is
// one for each memory node. Address
// space only: who counts bytes is the pool, when it carves blocks.
//
// A chunk's free slots are one word, so neighbours that are free are one run without any work, and
// a run is as long as the span needs: no power of two to round up to, as in a buddy system. Chunks
// are kept by the length of their longest free run; a span comes from the fullest chunk that has
// room, so that others become empty.
// Thread: any; one lock.

#include <array>
#include <mutex>

#include "mem/span.h"
#include "zokio/base/pinned.h"

namespace zokio::mem {

class PageHeap : Pinned {
 public:
  // A span of `slots` free slots, everything but `start` and `slots` reset. Its memory is poisoned.
  // Null when the system refuses. `node`: the same each time. Requires: 0 < slots < kChunkSlots.
  Span* allocate(unsigned slots, unsigned node = 0) noexcept;

  // Requires: no block of `span` is used, its pages were discarded, no list holds it.
  void free(Span& span) noexcept;

  // Around a fork: the child gets the heap between two calls.
  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }

 private:
  Chunk* with_room_for(unsigned slots) noexcept;
  Span& take(Chunk& chunk, unsigned slots) noexcept;
  Chunk* grow(unsigned node) noexcept;
  void link(Chunk& chunk) noexcept;
  void unlink(Chunk& chunk) noexcept;

  std::mutex mutex_;
  std::array<Chunk*, kChunkSlots> by_run_{};
  uint64_t runs_ = 0;  // bit i: by_run_[i] is not empty
};

}  // namespace zokio::mem
