// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs of slots for spans, out of chunks mapped from the system; both pools share them. Address
// space only: who counts bytes is the pool, when it carves blocks.
// Thread: any; one lock, held for a search over the chunks.

#include <mutex>

#include "mem/span.h"
#include "zokio/base/pinned.h"

namespace zokio::mem {

class PageHeap : Pinned {
 public:
  // A span of `slots` free slots, everything but `start` and `slots` reset. Its memory is poisoned.
  // Null when the system refuses. Requires: 0 < slots < kChunkSlots.
  Span* allocate(unsigned slots) noexcept;

  // Requires: no block of `span` is used, its pages were discarded, no list holds it.
  void free(Span& span) noexcept;

 private:
  Span* take(Chunk& chunk, unsigned slots) noexcept;
  Chunk* grow() noexcept;
  void drop(Chunk& chunk) noexcept;

  std::mutex mutex_;
  Chunk* chunks_ = nullptr;
};

}  // namespace zokio::mem
