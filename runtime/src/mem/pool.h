// SPDX-License-Identifier: Apache-2.0
#pragma once

// One pool: central lists by class, the bytes it holds and may hold, and its counts.
// Thread: any. Constant-initialised and never destroyed, so memory may be taken and given back
// before main and after exit.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "mem/budget.h"
#include "mem/central_list.h"
#include "mem/large.h"
#include "mem/numa.h"
#include "zokio/base/pinned.h"
#include "zokio/mem/pools.h"
#include "zokio/stats/counter.h"
#include "zokio/stats/histogram.h"

namespace zokio::mem {

// Free bytes the central lists of a pool keep before empty spans go back at once: enough to take a
// burst, and the ups and downs of a program that holds much; small beside what it holds. Decay has
// what is not needed after all. The heap keeps less, because under libzokio-malloc nothing decays;
// of buffers a hundred that read 256 KiB each come and go.
inline constexpr int64_t central_keep(PoolId id) noexcept {
  return int64_t{id == PoolId::Heap ? 8 : 32} << 20;
}
inline constexpr int64_t kCentralShare = 4;  // or this part of what the pool holds besides
// While the system is short of memory.
inline constexpr uint64_t kKeepUnderPressure = uint64_t{256} << 10;
inline constexpr uint64_t kThreadKeepUnderPressure = uint64_t{128} << 10;

// Of one class, without the thread caches that exist now: ended caches and threads without one.
struct ClassCounts {
  stats::Counter thread;  // served by a thread's cache
  stats::Counter shared;  // by the central list
  stats::Counter fresh;   // by fresh memory
  stats::Counter frees;
  stats::Counter remote_frees;
  stats::Counter released_bytes;
};

struct PoolCounts {
  std::array<ClassCounts, kClasses> classes{};
  stats::Counter large;       // objects above kMaxBlock, freshly mapped
  stats::Counter large_kept;  // and kept ones that served again
  stats::Counter large_bytes;
  stats::Counter large_frees;
  stats::Counter large_freed_bytes;
  stats::Counter refill_bytes;
  stats::Counter released_bytes;
  stats::Counter failures_limit;
  stats::Counter failures_system;
  stats::Histogram hit_ns;  // thread_cache.cpp takes the samples
  stats::Histogram miss_ns;
  stats::Counter overflows;  // requests served above a limit
  stats::Counter waits;      // leases that had to wait, and for how long
  stats::Counter wait_ns;
  stats::Counter decayed_bytes;
};

class Pool : Pinned {
 public:
  constexpr explicit Pool(PoolId id) noexcept
      : id_(id), when_full_(id == PoolId::Frames ? WhenFull::Overflow : WhenFull::Fail) {}

  // Larger blocks have a span each and go back to the system whatever their neighbours do: 8 KiB
  // for what has limits that are to be met soon. The heap prefers blocks close to each other.
  std::size_t shared_up_to() const noexcept {
    return id_ == PoolId::Heap ? std::size_t{32} << 10 : std::size_t{8} << 10;
  }
  PoolId id() const noexcept { return id_; }
  uint8_t index() const noexcept { return static_cast<uint8_t>(id_); }

  // One to `want` blocks of class `cls`; none only when `may_exceed` is false and a limit forbids
  // it, or the system has no memory (`why` says). Counts the request as one; `asked` are its bytes,
  // 0 where nobody knows them any more.
  Batch obtain(unsigned cls, unsigned want, bool may_exceed, Refusal& why,
               std::size_t asked = 0) noexcept;
  void give(unsigned cls, Batch batch) noexcept {
    if (numa_nodes() == 1) [[likely]]
      return lists_[cls].give(*this, cls, batch);
    give_by_node(cls, batch);
  }

  // Objects above kMaxBlock, one mapping each. `fresh` is set when every byte is 0.
  void* obtain_large(std::size_t bytes, bool may_exceed, Refusal& why,
                     bool* fresh = nullptr) noexcept;
  // `keep`: it may be kept for the next; not worth it when its pages were moved to another.
  void give_large(void* object, bool keep = true) noexcept;

  // Releases the empty spans of all classes and the large objects that are kept; resident bytes
  // released.
  uint64_t release_empty() noexcept;

  // What may be kept free, and what happens when the pool is full. Thread: any.
  PoolSettings settings() const noexcept;
  void set_settings(const PoolSettings& settings) noexcept;
  bool may_exceed() const noexcept {
    return when_full_.load(std::memory_order_relaxed) == WhenFull::Overflow;
  }
  // Of one thread's cache, all classes together; 0: as many as it likes.
  uint64_t thread_cache_cap() const noexcept;

  // Leases that wait for memory now (zokio/lease.h).
  std::atomic<uint32_t>& waiters() noexcept { return waiters_; }

  // A part of a step of decay: places 0 to kDecayPlaces - 1 one after the other.
  static constexpr unsigned kDecayPlaces = kClasses + 1;
  Decayed decay(unsigned place, bool step, uint64_t most) noexcept;

  // Where the last change of the limit has led: pools.cpp. Thread: any; writes by one at a time.
  struct Shrink {
    std::atomic<bool> asked{false};        // the limit was lowered last
    std::atomic<uint64_t> released{0};     // counts_.released_bytes when it was
    std::atomic<uint64_t> released_to{0};  // and when the target was reached
  };
  Shrink& shrink() noexcept { return shrink_; }
  std::atomic<uint64_t>& huge_bytes() noexcept { return huge_bytes_; }

  // Gives back what stands above the caps of its caches, as far as it can.
  void release_above_cap() noexcept;

  // Around a fork: every lock of the pool.
  void lock_all() noexcept;
  void unlock_all() noexcept;

  Budget& budget() noexcept { return budget_; }
  PoolCounts& counts() noexcept { return counts_; }
  // Of all nodes; the most blocks there ever were is the sum of what it was on each.
  ListFigures list_figures(unsigned cls) noexcept;

  // The pool holds more than it may: caches keep nothing, empty spans go back at once.
  bool shrinking() const noexcept { return shrinking_.load(std::memory_order_relaxed); }
  // True when that changed. Requires: one thread at a time.
  bool set_shrinking(bool value) noexcept {
    return shrinking_.exchange(value, std::memory_order_relaxed) != value;
  }

  // For CentralList.
  Refusal charge(uint64_t bytes, bool above_limit) noexcept;
  void uncharge(uint64_t bytes) noexcept;
  Span* new_span(unsigned cls, unsigned node) noexcept;
  // Discards and frees a chain of empty spans. Requires: no lock of a list is held.
  uint64_t release_spans(Span* chain, unsigned cls) noexcept;
  void central_free_changed(int64_t bytes) noexcept {
    central_free_.fetch_add(bytes, std::memory_order_relaxed);
  }
  bool wants_to_keep() const noexcept {
    const int64_t free = central_free_.load(std::memory_order_relaxed);
    return !shrinking() && free <= central_cap(free);
  }

 private:
  // Free bytes the central lists may keep, when they have `free`.
  int64_t central_cap(int64_t free) const noexcept;
  uint64_t large_cap() const noexcept;
  // Blocks of a node are in its lists, whoever frees them; those of node 0 in lists_.
  CentralList& list(unsigned node, unsigned cls) noexcept;
  // From the lists of this thread's node, or else what others have.
  Taken take(unsigned cls, unsigned want, bool above_limit, std::size_t asked) noexcept;
  void give_by_node(unsigned cls, Batch batch) noexcept;
  // Counts a refusal, and says whether to try again after caches were emptied.
  bool make_room(Refusal refusal, uint64_t bytes) noexcept;
  uint64_t release_large(void* object) noexcept;
  void count_failure(Refusal refusal) noexcept;

  const PoolId id_;
  Budget budget_;
  std::atomic<int64_t> central_free_{0};
  std::atomic<bool> shrinking_{false};
  std::atomic<uint64_t> thread_cap_{0};   // 0: by itself
  std::atomic<uint64_t> central_cap_{0};  // 0: by itself
  std::atomic<WhenFull> when_full_;
  std::atomic<uint32_t> waiters_{0};
  std::atomic<uint64_t> huge_bytes_{0};  // of large objects with huge pages
  Shrink shrink_;
  PoolCounts counts_;
  LargeCache large_;
  std::array<CentralList, kClasses> lists_;
};

Pool& pool(PoolId id) noexcept;
Pool& pool(unsigned index) noexcept;

// What all pools hold together, and their common cap.
Budget& total_budget() noexcept;

// The system is short of memory: caches are small meanwhile. Thread: any.
bool under_pressure() noexcept;
void set_under_pressure(bool value) noexcept;

// `told` is called when memory was freed for which somebody waits, or a limit changed: on the
// thread that did it, which holds no lock of mem. Thread: any.
void on_room(void (*told)()) noexcept;
void tell_room() noexcept;

// Whether large objects ask for huge pages. Thread: any.
bool huge_pages_wanted() noexcept;
void want_huge_pages(bool value) noexcept;

// Begins an epoch of the caches (magazine.h).
void next_cache_epoch() noexcept;

// Around a fork: the locks that are taken while one of a pool is held.
void lock_below_pools() noexcept;
void unlock_below_pools() noexcept;

// Sets `shrinking` of every pool to what its budget says, and starts an epoch when one changed.
void recheck_limits() noexcept;

}  // namespace zokio::mem
