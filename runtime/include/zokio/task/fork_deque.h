// SPDX-License-Identifier: Apache-2.0
#pragma once

// A worker's branches that have not begun: what the running task forked and has not come to yet.
//
// The owner works at the newer end, thieves take the oldest, which is mostly the largest. The
// indices count on for ever; a slot is its index modulo the capacity:
//
//      tail          split          top
//       v              v             v
//   [ . s s s s s s s  p p p p p p p . . ]     s: shared, p: private to the owner
//
// As long as the owner stays in its private part it pays neither a fence nor a read-modify-write.
// All it has becomes shared when somebody asks (limit_ = 0), and it takes half of what is shared
// back when its private part is empty. Whoever finds or leaves the shared part empty asks.
//
// A slot is written again only after the thief that took it has read it: the owner's room ends a
// capacity above done_, not above the tail.
//
// Source: the split deque of Lace (van Dijk and van de Pol, "Lace: Non-blocking Split Deque for
// Work-Stealing", 2014); asking by a limit that the owner compares with anyway is ours.

#include <array>
#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/pinned.h"

namespace zokio::task {

struct Promise;

// Branches a worker keeps; more wait in their fork, and run in place. By nesting: a recursion that
// forks b ways holds (b - 1) for each level.
#ifdef ZOKIO_MODEL
inline constexpr uint64_t kForkSlots = 4;
#else
inline constexpr uint64_t kForkSlots = 512;
#endif
static_assert((kForkSlots & (kForkSlots - 1)) == 0, "indices wrap by masking");

class ForkDeque : Pinned {
 public:
  // Thread: the owner. ----------------------------------------------------------------------------

  // Whether `n` may be pushed, and nobody asks.
  bool calm_room(uint64_t n) const noexcept {
    return top_ + n <= limit_.load(std::memory_order_relaxed);
  }
  // Whether `n` may be pushed, asked or not.
  bool room(uint64_t n) const noexcept {
    // Ordering: acquire; the thieves have read what lay below.
    return top_ + n <= done_.load(std::memory_order_acquire) + kForkSlots;
  }
  // Several at once: put() each above the newest, then pushed() all. Requires: room.
  void put(uint64_t above, Promise* branch) noexcept {
    slot(top_ + above).store(branch, std::memory_order_relaxed);
  }
  void pushed(uint64_t n) noexcept { top_ += n; }
  void push(Promise* branch) noexcept {
    put(0, branch);
    pushed(1);
  }
  // The newest, when it is private and nobody asks; null otherwise.
  Promise* pop_calm() noexcept {
    if (top_ == split_ || limit_.load(std::memory_order_relaxed) == 0) return nullptr;
    return slot(--top_).load(std::memory_order_relaxed);
  }
  // The newest; null when nothing is left.
  Promise* pop() noexcept {
    if (top_ == split_ && !take_back()) return nullptr;
    return slot(--top_).load(std::memory_order_relaxed);
  }
  bool asked() const noexcept { return limit_.load(std::memory_order_relaxed) == 0; }
  // Nobody asks any more. Call it before share(), so that what comes after is not forgotten.
  void answer() noexcept {
    limit_.store(done_.load(std::memory_order_acquire) + kForkSlots, std::memory_order_relaxed);
  }
  // Room for pushes is known by what was stolen when it was looked at last. Not over an ask.
  void find_room() noexcept {
    uint64_t old = limit_.load(std::memory_order_relaxed);
    if (old != 0)
      limit_.compare_exchange_strong(old, done_.load(std::memory_order_acquire) + kForkSlots,
                                     std::memory_order_relaxed);
  }
  // Whether share() would do anything.
  bool has_private() const noexcept { return top_ != split_; }
  // Everything may be stolen.
  void share() noexcept {
    // Ordering: release; a thief reads the slots, and the branches in them.
    shared_.fetch_add((top_ - split_) << 32, std::memory_order_release);
    split_ = top_;
  }
  // Whether something may be left: exact when nothing was stolen since the last settle().
  bool used() const noexcept { return top_ != settled_; }
  // Nothing is left. Requires: pop() returned null.
  void settle() noexcept { settled_ = top_; }

  // Counts forks down to the next look at the worker's duties: true when it is due.
  bool count_down() noexcept { return --until_look_ == 0; }
  bool look_is_due() const noexcept { return until_look_ == 0; }
  void look_again_after(uint32_t forks) noexcept { until_look_ = forks; }

  // Thread: any. ----------------------------------------------------------------------------------

  // The oldest that is shared; null when there is none, or another thief is at it.
  Promise* steal() noexcept;
  // Asks the owner to share. It does so at its next fork, or at the next end of a branch.
  void ask() noexcept {
    if (limit_.load(std::memory_order_relaxed) != 0) limit_.store(0, std::memory_order_relaxed);
  }
  // Whether a thief would find something. A moment's answer.
  bool has_shared() const noexcept {
    const uint64_t word = shared_.load(std::memory_order_acquire);
    return tail_of(word) != split_of(word);
  }

 private:
  static constexpr uint32_t tail_of(uint64_t word) noexcept { return static_cast<uint32_t>(word); }
  static constexpr uint32_t split_of(uint64_t word) noexcept {
    return static_cast<uint32_t>(word >> 32);
  }
  static constexpr uint64_t pack(uint32_t split, uint32_t tail) noexcept {
    return (uint64_t{split} << 32) | tail;
  }
  Atomic<Promise*>& slot(uint64_t index) noexcept { return slots_[index & (kForkSlots - 1)]; }
  bool take_back() noexcept;

  // Owner only.
  alignas(kCacheLine) uint64_t top_ = 0;
  uint64_t split_ = 0;    // as in shared_, which only the owner changes there
  uint64_t settled_ = 0;  // top_ when it was empty last
  uint32_t until_look_ = 1;
  // Written by thieves now and then, read by the owner all the time. 0: somebody asks.
  alignas(kCacheLine) Atomic<uint64_t> limit_{0};
  // split in the high half, tail in the low one: the owner adds to the former, thieves to the
  // latter.
  alignas(kCacheLine) Atomic<uint64_t> shared_{0};
  Atomic<uint64_t> done_{0};  // branches that thieves have taken and read; guarded by stealing_
  Atomic<bool> stealing_{false};
  std::array<Atomic<Promise*>, kForkSlots> slots_{};
};

}  // namespace zokio::task
