// SPDX-License-Identifier: Apache-2.0
// Refill, spill, parking, and the registry of caches.

#include "mem/thread_cache.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <thread>

#include "mem/mapping.h"
#include "mem/outside_cache.h"
#include "zokio/base/assert.h"
#include "zokio/mem/magazine.h"

namespace zokio::mem {
namespace {

// Every cache that exists. The lock is taken to start and end caches, to read their counts and to
// empty parked ones; inside it only locks of central lists and below are taken.
struct Registry {
  std::mutex mutex;
  ThreadCache* first = nullptr;
};
constinit Registry registry;

constexpr std::size_t kCacheBytes = round_to_pages(sizeof(ThreadCache));

// Of a limit, what one magazine may keep: 1/256, so that the caches of a few threads together do
// not hold most of a small pool.
constexpr uint64_t kLimitShare = 256;

// Blocks in a lot. Frames and buffers at once; the heap begins small, see lot_policy.h.
constexpr unsigned kLot = 64;
constexpr unsigned kHeapLot = 512;

uint64_t effective_limit(Pool& p) noexcept {
  const uint64_t own = p.budget().limit();
  const uint64_t all = total_budget().limit();
  return own == 0 ? all : all == 0 ? own : std::min(own, all);
}

// `cap`: of the whole cache, which has two lots of each class; 0: none.
unsigned capacity_of(PoolId id, uint64_t limit, uint64_t cap, unsigned cls) noexcept {
  const unsigned full = id == PoolId::Heap
                            ? magazine_capacity(cls, kHeapLot, std::size_t{256} << 10)
                            : magazine_capacity(cls, kLot, std::size_t{128} << 10);
  uint64_t lot = UINT64_MAX;
  if (limit != 0) lot = limit / kLimitShare;
  if (cap != 0) lot = std::min(lot, cap / (2 * kClasses));
  return static_cast<unsigned>(std::min<uint64_t>(full, lot / class_bytes(cls)));
}

}  // namespace

constinit LotPolicy lot_policy;
constinit thread_local ThreadCache* this_thread_cache = nullptr;
#ifdef ZOKIO_INLINE_CACHE
constinit InlineCache no_inline_cache;
// Used: reads are by assembler, which link-time optimisation does not see.
[[gnu::used]] constinit thread_local InlineCache* thread_inline_cache = &no_inline_cache;
#endif

unsigned Magazine::walk() const noexcept {
  unsigned blocks = 0;
  for (FreeBlock* block = head; block != nullptr; block = next_of(block)) ++blocks;
  return blocks;
}

FreeBlock* ThreadCache::refill(PoolId id, unsigned cls, bool may_exceed, Refusal& why,
                               std::size_t asked) noexcept {
  if (seen_epoch != cache_epoch()) follow_epoch();
  Magazine& magazine = of(id)[cls];
  if (magazine.spare.count != 0) {
    magazine.put_lot(std::exchange(magazine.spare, {}));
    return pop(magazine);
  }
  Pool& p = pool(id);
  if (id == PoolId::Heap) tune(cls);
  if (magazine.capacity < magazine.allowed) grow(magazine, cls);
  const bool timed = --refills_to_sample_ == 0;
  const Instant start = timed ? Instant::now() : Instant{};
  Batch blocks = p.obtain(cls, 1 + magazine.capacity, may_exceed, why, asked);
  if (timed) refills_to_sample_ = kSampleEvery;
  if (blocks.count == 0) return nullptr;
  received_[p.index()][cls] += blocks.count;
  if constexpr (kMode == Mode::UltraFast) magazine.hits.add(blocks.count - 1);
  p.counts().refill_bytes.add_shared(blocks.count * class_bytes(cls));
  if (timed) sample(id, blocks, start);
  FreeBlock* block = blocks.pop();
  magazine.put_lot(blocks);
  return block;
}

void ThreadCache::spill(PoolId id, unsigned cls, FreeBlock* block) noexcept {
  Magazine& magazine = of(id)[cls];
  if constexpr (kMode == Mode::UltraFast) {
    magazine.recount();
    if (!magazine.full()) return push(magazine, block);
  }
  if (magazine.capacity < magazine.allowed) grow(magazine, cls);
  if (!magazine.full()) return push(magazine, block);
  // The older lot goes: the blocks freed last are those in the processor's cache.
  Batch given = std::exchange(magazine.spare, magazine.take_lot());
  if constexpr (kMode != Mode::UltraFast) magazine.frees.add();
  Batch first;
  (magazine.capacity > 0 ? first : given).push(block);
  magazine.put_lot(first);
  if (given.count == 0) return;
  flush(static_cast<unsigned>(id), cls, given);
  if (id == PoolId::Heap) tune(cls);
}

// A thread that gives back more of a class than it ever received was given the difference by other
// threads: the most that difference ever was is what it freed for them at least.
void ThreadCache::flush(unsigned pool_index, unsigned cls, Batch lot) noexcept {
  int64_t& received = received_[pool_index][cls];
  received -= lot.count;
  Pool& p = pool(pool_index);
  if constexpr (kMode == Mode::UltraFast)
    of(static_cast<PoolId>(pool_index))[cls].frees.add(lot.count);
  if (received < 0) {
    p.counts().classes[cls].remote_frees.add_shared(static_cast<uint64_t>(-received));
    received = 0;
  }
  p.give(cls, lot);
}

// The refill that began at `start`, and hits: blocks of the lot it brought, taken and put back.
void ThreadCache::sample(PoolId id, Batch& lot, Instant start) noexcept {
  constexpr unsigned kHits = 16;
  const Instant end = Instant::now();
  PoolCounts& counts = pool(id).counts();
  counts.miss_ns.record_shared(static_cast<uint64_t>((end - start).count()));
  if (lot.count < kHits) return;
  Magazine probe;
  probe.put_lot(lot);
  std::array<FreeBlock*, kHits> taken;
  const Instant before = Instant::now();
  for (FreeBlock*& block : taken) block = pop(probe);
  const Instant after = Instant::now();
  lot = probe.take_lot();
  for (unsigned i = kHits; i > 0; --i) lot.push(taken[i - 1]);
  // Less what the clock itself takes.
  const int64_t took = (after - before).count() - (before - end).count();
  counts.hit_ns.record_shared(static_cast<uint64_t>(std::max<int64_t>(took, 0)) / kHits);
}

// Magazines of the heap begin small, because a program has many threads that use many sizes a few
// times, and double with each refill and each spill (a thread may free what others allocate) until
// the thread has grown by what the policy allows.
void ThreadCache::grow(Magazine& magazine, unsigned cls) noexcept {
  const unsigned more = std::min(magazine.capacity, magazine.allowed - magazine.capacity);
  const std::size_t bytes = 2 * more * class_bytes(cls);
  if (grown_bytes_ + bytes > lot_policy.growth_bytes) return;
  grown_bytes_ += bytes;
  magazine.set_capacity(magazine.capacity + more);
}

// The opposite, for a class that the thread has not missed for long. Lots that are now too large
// go.
void ThreadCache::shrink(Magazine& magazine, unsigned cls) noexcept {
  if (magazine.capacity <= lot_policy.begin) return;
  const unsigned less = std::min(magazine.capacity / 2, magazine.capacity - lot_policy.begin);
  grown_bytes_ -= 2 * less * class_bytes(cls);
  magazine.set_capacity(magazine.capacity - less);
  const unsigned heap_index = static_cast<unsigned>(PoolId::Heap);
  if (magazine.spare.count > magazine.capacity)
    flush(heap_index, cls, std::exchange(magazine.spare, {}));
  if (magazine.count() > magazine.capacity) flush(heap_index, cls, magazine.take_lot());
}

void ThreadCache::tune(unsigned cls) noexcept {
  if (!tuner_.note(cls) || !lot_policy.tuned) return;
  tuner_.end_interval([this](unsigned idle) { shrink(heap[idle], idle); });
}

void ThreadCache::empty(unsigned pool_index, unsigned cls) noexcept {
  Magazine& magazine = of(static_cast<PoolId>(pool_index))[cls];
  for (const Batch lot : {magazine.take_lot(), std::exchange(magazine.spare, {})})
    if (lot.count != 0) flush(pool_index, cls, lot);
}

void ThreadCache::drain() noexcept {
  for (unsigned i = 0; i < kPools; ++i) {
    for (unsigned cls = 0; cls < kClasses; ++cls) empty(i, cls);
  }
}

void ThreadCache::set_capacities() noexcept {
  grown_bytes_ = 0;
  // Read before the limits: a change after this read makes another epoch.
  seen_epoch = cache_epoch();
  for (unsigned i = 0; i < kPools; ++i) {
    Pool& p = pool(i);
    const bool nothing = p.shrinking();
    const uint64_t limit = effective_limit(p);
    const uint64_t cap = p.thread_cache_cap();
    for (unsigned cls = 0; cls < kClasses; ++cls) {
      Magazine& magazine = of(static_cast<PoolId>(i))[cls];
      magazine.allowed = nothing ? 0 : capacity_of(static_cast<PoolId>(i), limit, cap, cls);
      magazine.set_capacity(static_cast<PoolId>(i) == PoolId::Heap
                                ? std::min(magazine.allowed, lot_policy.begin)
                                : magazine.allowed);
    }
  }
}

void ThreadCache::follow_epoch() noexcept {
  set_capacities();
  drain();
}

void ThreadCache::park() noexcept {
  for (;;) {
    if (seen_epoch != cache_epoch()) follow_epoch();
    const uint64_t seen = seen_epoch;
    // Ordering: seq_cst with next_cache_epoch. Who begins an epoch afterwards finds the cache
    // parked and empties it; if one began before, we see it here and do it ourselves.
    state_.store(State::Parked);
    if (cache_epoch() == seen) return;
    unpark();
  }
}

void ThreadCache::unpark() noexcept {
  for (;;) {
    State expected = State::Parked;
    // Ordering: acquire with the release in unclaim(): what the emptier left is seen.
    if (state_.compare_exchange_strong(expected, State::Owned)) return;
    ZOKIO_CHECK(expected == State::Claimed, "thread cache unparked without being parked");
    std::this_thread::yield();  // being emptied: microseconds, plus the release of spans
  }
}

bool ThreadCache::claim() noexcept {
  State expected = State::Parked;
  return state_.compare_exchange_strong(expected, State::Claimed);
}

void ThreadCache::unclaim() noexcept {
  state_.store(State::Parked);
}

bool ThreadCache::age(unsigned steps) noexcept {
  bool waiting = false;
  for (unsigned i = 0; i < kPools; ++i) {
    std::array<Magazine, kClasses>& magazines = of(static_cast<PoolId>(i));
    for (unsigned cls = 0; cls < kClasses; ++cls) {
      Magazine& magazine = magazines[cls];
      if (magazine.head == nullptr && magazine.spare.count == 0) continue;
      Age& age = ages_[i][cls];
      const auto uses = static_cast<uint32_t>(magazine.hits.read() + magazine.frees.read());
      age.steps = std::exchange(age.uses, uses) == uses ? age.steps + 1 : 0;
      if (age.steps < steps) {
        waiting = true;
        continue;
      }
      age.steps = 0;
      empty(i, cls);
    }
  }
  return waiting;
}

namespace {

// Requires: the registry's lock.
ClassUsages read_classes(Pool& p) noexcept {
  ClassUsages out;
  PoolCounts& counts = p.counts();
  // Frees before requests, so that a block freed in between counts as in use and not as minus one.
  // The reads are relaxed; where they are seen in another order, subtractions stop at 0.
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    out[cls].frees = counts.classes[cls].frees.read();
    for (const ThreadCache* c = registry.first; c != nullptr; c = c->next) {
      out[cls].frees += c->magazine(p.index(), cls).frees.read();
    }
  }
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    out[cls].hits_thread = counts.classes[cls].thread.read();
    for (const ThreadCache* c = registry.first; c != nullptr; c = c->next) {
      out[cls].hits_thread += c->magazine(p.index(), cls).hits.read();
    }
    out[cls].hits_shared = counts.classes[cls].shared.read();
    out[cls].fresh = counts.classes[cls].fresh.read();
  }
  return out;
}

}  // namespace

ClassUsages class_usages(Pool& p) noexcept {
  const std::scoped_lock lock(registry.mutex);
  return read_classes(p);
}

Usage usage(Pool& p) noexcept {
  const std::scoped_lock lock(registry.mutex);
  PoolCounts& counts = p.counts();
  Usage out;
  uint64_t freed_bytes = counts.large_freed_bytes.read();
  out.frees = counts.large_frees.read();
  const ClassUsages classes = read_classes(p);
  uint64_t taken_bytes = counts.large_bytes.read();
  out.fresh = counts.large.read();
  out.hits_shared = counts.large_kept.read();
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    const ClassUsage& each = classes[cls];
    out.frees += each.frees;
    freed_bytes += each.frees * class_bytes(cls);
    out.hits_thread += each.hits_thread;
    out.hits_shared += each.hits_shared;
    out.fresh += each.fresh;
    taken_bytes += (each.hits_thread + each.hits_shared + each.fresh) * class_bytes(cls);
  }
  const uint64_t taken = out.hits_thread + out.hits_shared + out.fresh;
  out.objects = taken > out.frees ? taken - out.frees : 0;
  out.held_bytes = p.budget().held();
  out.in_use_bytes = taken_bytes > freed_bytes ? taken_bytes - freed_bytes : 0;
  out.in_use_bytes = std::min(out.in_use_bytes, out.held_bytes);
  return out;
}

void lock_registry() noexcept {
  registry.mutex.lock();
}
void unlock_registry() noexcept {
  registry.mutex.unlock();
}

void empty_caches() noexcept {
  next_cache_epoch();
  if (this_thread_cache != nullptr) this_thread_cache->drain();
  const std::scoped_lock lock(registry.mutex);
  for (ThreadCache* c = registry.first; c != nullptr; c = c->next) {
    if (!c->claim()) continue;
    c->drain();
    c->unclaim();
  }
}

bool age_parked_caches(unsigned steps) noexcept {
  bool waiting = false;
  const std::scoped_lock lock(registry.mutex);
  for (ThreadCache* c = registry.first; c != nullptr; c = c->next) {
    if (!c->claim()) continue;  // in use: it ages when its thread sleeps
    waiting |= c->age(steps);
    c->unclaim();
  }
  return waiting;
}

ThreadCache* acquire_thread_cache() noexcept {
  std::byte* memory = map(kCacheBytes, kPageBytes);
  if (memory == nullptr) return nullptr;
  auto* cache = new (memory) ThreadCache;
  const std::scoped_lock lock(registry.mutex);
  cache->next = registry.first;
  if (registry.first != nullptr) registry.first->previous = cache;
  registry.first = cache;
  return cache;
}

void release_thread_cache(ThreadCache* cache) noexcept {
  if (cache == nullptr) return;
  if (this_thread_cache == cache) set_current_cache(nullptr);
  {
    // Under the lock, so that a reader finds a count in the cache or in the pool, never in both.
    const std::scoped_lock lock(registry.mutex);
    cache->drain();
    for (unsigned i = 0; i < kPools; ++i) {
      for (unsigned cls = 0; cls < kClasses; ++cls) {
        ClassCounts& counts = pool(i).counts().classes[cls];
        counts.thread.add_shared(cache->magazine(i, cls).hits.read());
        counts.frees.add_shared(cache->magazine(i, cls).frees.read());
      }
    }
    (cache->previous != nullptr ? cache->previous->next : registry.first) = cache->next;
    if (cache->next != nullptr) cache->next->previous = cache->previous;
  }
  unmap(reinterpret_cast<std::byte*>(cache), kCacheBytes);
}

ThreadCache* current_cache() noexcept {
  return this_thread_cache;
}
void set_current_cache(ThreadCache* cache) noexcept {
  if (cache != nullptr) has_own_cache();
  this_thread_cache = cache;
#ifdef ZOKIO_INLINE_CACHE
  thread_inline_cache = cache != nullptr ? cache : &no_inline_cache;
#endif
}
void park_thread_cache(ThreadCache* cache) noexcept {
  if (cache == nullptr) return;
  cache->parked_current = this_thread_cache == cache;
  if (cache->parked_current) set_current_cache(nullptr);
  cache->park();
}
void unpark_thread_cache(ThreadCache* cache) noexcept {
  if (cache == nullptr) return;
  cache->unpark();
  if (cache->parked_current) set_current_cache(cache);
}
void drain_thread_cache(ThreadCache* cache) noexcept {
  if (cache != nullptr) cache->drain();
}
void drain_parked_cache(ThreadCache* cache) noexcept {
  // Claimed already: by one who empties it.
  if (cache == nullptr || !cache->claim()) return;
  cache->drain();
  cache->unclaim();
}

}  // namespace zokio::mem
