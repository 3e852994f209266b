// SPDX-License-Identifier: Apache-2.0
#pragma once

// The free blocks of one class of one pool that no thread keeps, by span.
//
// Equations that hold outside the lock, for every span of this list:
//   carved = free_blocks + live,  linked in `spans_` iff free_blocks > 0,  budget += carved *
//   bytes.
// Beside the spans there is a depot of whole lots, as thread caches give them back: the next cache
// that wants a lot gets one without a look at its blocks, which count as live in their spans.
// Thread: any; one lock, held for a batch of blocks and never over a system call except the mapping
// of a new chunk (4 MiB, rare).

#include <mutex>

#include "mem/idle_bytes.h"
#include "mem/span.h"
#include "zokio/base/pinned.h"

namespace zokio::mem {

class Pool;

enum class Refusal : uint8_t { None, PoolLimit, TotalLimit, System };

struct Taken {
  Batch blocks;
  Refusal refusal = Refusal::None;  // why `blocks` is empty
  bool fresh = false;               // carved now, not free before
  bool exceeds = false;             // although a limit forbids it
};

// What a part of a step of decay did.
struct Decayed {
  uint64_t released = 0;  // resident bytes
  bool more = false;      // there is more to give back in this step
  bool settled = true;    // nothing is left that could go later
};

// What a central list counts, under its lock, where that costs a plain addition for a batch of
// blocks. Counters only grow; the rest is what is now.
struct ListFigures {
  uint64_t refills = 0;       // takes of more than one block: by thread caches
  uint64_t flushes = 0;       // gives of more than one block
  uint64_t locks = 0;         // times the lock was taken to take or give
  uint64_t contended = 0;     // and was not free at the first try
  uint64_t asked_blocks = 0;  // requests whose size was known, and what they asked for
  uint64_t asked_bytes = 0;
  uint64_t most_blocks = 0;  // the most that `blocks` ever was
  uint64_t blocks = 0;       // carved and not given back to the system
  uint64_t depot_blocks = 0;
  uint64_t free_blocks = 0;      // in spans
  uint64_t empty_blocks = 0;     // of those, in spans with no other
  uint64_t committed_bytes = 0;  // whole pages with carved blocks

  ListFigures& operator+=(const ListFigures& other) noexcept;
};

class CentralList : Pinned {
 public:
  // Up to `want` blocks: free ones, else carved from fresh memory. With `above_limit` one block is
  // carved whatever the limits say. `asked`: the bytes of the request behind this; 0: not known.
  // `node`: of which the list is, for fresh memory. Requires: want > 0.
  Taken take(Pool& pool, unsigned cls, unsigned want, bool above_limit, std::size_t asked = 0,
             unsigned node = 0) noexcept;

  // Takes `batch` back. Spans that became empty and that `pool` does not want to keep are released.
  void give(Pool& pool, unsigned cls, Batch batch) noexcept;

  // Releases every empty span; resident bytes released.
  uint64_t release_empty(Pool& pool, unsigned cls) noexcept;

  ListFigures figures() noexcept;
  // Gives back what nobody has needed lately (idle_bytes.h), `most` bytes and a span at most.
  // `step`: a step has ended; otherwise goes on with the one before.
  Decayed decay(Pool& pool, unsigned cls, bool step, uint64_t most) noexcept;

  // Around a fork.
  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }

 private:
  std::unique_lock<std::mutex> lock_soon() noexcept;
  Taken take_locked(Pool& pool, unsigned cls, unsigned want, bool above_limit,
                    unsigned node) noexcept;
  Batch take_free(Pool& pool, unsigned cls, unsigned want) noexcept;
  Taken carve(Pool& pool, unsigned cls, unsigned want, bool above_limit, unsigned node) noexcept;
  std::size_t carved_at_once(unsigned cls) const noexcept;
  void link(Span& span) noexcept;
  void unlink(Span& span) noexcept;
  // Takes an empty span out and chains it to `doomed`.
  void doom(Pool& pool, unsigned cls, Span& span, Span*& doomed) noexcept;

  // Dooms empty spans, `most` bytes together; the bytes. `skipped`: some were too large for that.
  uint64_t doom_some(Pool& pool, unsigned cls, uint64_t most, bool& skipped,
                     Span*& doomed) noexcept;

  // The free bytes changed.
  void free_changed(Pool& pool, int64_t bytes) noexcept;

  // Puts the lots of the depot back into their spans, or one of them; its bytes. Requires: mutex_.
  void empty_depot(Pool& pool, unsigned cls, Span*& doomed) noexcept;
  uint64_t empty_lot(Pool& pool, unsigned cls, Span*& doomed) noexcept;
  void put_back(Pool& pool, unsigned cls, Batch batch, Span*& doomed) noexcept;

  void push_lot(Batch lot) noexcept;  // Requires: mutex_
  Batch pop_lot() noexcept;           // Requires: mutex_, depot_

  std::mutex mutex_;
  // Lots by their first blocks, linked in their second words, with their counts.
  FreeBlock* depot_ = nullptr;
  Span* spans_ = nullptr;    // with free blocks
  Span* carving_ = nullptr;  // has untouched space; may be in spans_ too
  ListFigures figures_;
  uint64_t free_ = 0;  // bytes, the depot's as well
  uint64_t owed_ = 0;  // should still go in this step of decay
  IdleBytes idle_;
};

}  // namespace zokio::mem
