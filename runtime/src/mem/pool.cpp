// SPDX-License-Identifier: Apache-2.0
// Serving blocks, charging them, and giving spans back.

#include "mem/pool.h"

#include <mutex>
#include <type_traits>

#include "mem/mapping.h"
#include "mem/page_heap.h"
#include "mem/poison.h"
#include "mem/thread_cache.h"

namespace zokio::mem {
namespace {

constinit PageHeap page_heap;
constinit Pool pools[kPools] = {Pool(PoolId::Frames), Pool(PoolId::Buffers), Pool(PoolId::Heap)};
constinit Budget total;
constinit std::mutex recheck_mutex;
// A copy of "some pool shrinks", so that giving memory back costs one load while none does.
constinit Atomic<bool> any_shrinking{false};

static_assert(std::is_trivially_destructible_v<Pool>, "pools outlive every static object");
static_assert(std::is_trivially_destructible_v<PageHeap>);

}  // namespace

Pool& pool(PoolId id) noexcept {
  return pools[static_cast<unsigned>(id)];
}
Pool& pool(unsigned index) noexcept {
  return pools[index];
}
Budget& total_budget() noexcept {
  return total;
}

constinit Atomic<uint64_t> cache_epoch_word{0};
void next_cache_epoch() noexcept {
  cache_epoch_word.fetch_add(1);
}

void recheck_limits() noexcept {
  // Under a lock, so that the last to come decides, and it sees all changes made before.
  const std::scoped_lock lock(recheck_mutex);
  // First, so that who gives memory back meanwhile comes here too, after us.
  any_shrinking.store(true);
  bool changed = false;
  bool any = false;
  for (Pool& p : pools) {
    const bool over = p.budget().over() || total.over();
    changed |= p.set_shrinking(over);
    any |= over;
  }
  any_shrinking.store(any);
  if (changed) next_cache_epoch();
}

Refusal Pool::charge(uint64_t bytes, bool above_limit) noexcept {
  if (above_limit) {
    budget_.add_above_limit(bytes);
    total.add_above_limit(bytes);
    recheck_limits();
    return Refusal::None;
  }
  if (!budget_.add(bytes)) return Refusal::PoolLimit;
  if (total.add(bytes)) return Refusal::None;
  budget_.subtract(bytes);
  return Refusal::TotalLimit;
}

void Pool::uncharge(uint64_t bytes) noexcept {
  budget_.subtract(bytes);
  total.subtract(bytes);
  if (any_shrinking.load()) recheck_limits();
}

Batch Pool::obtain(unsigned cls, unsigned want, bool may_exceed, Refusal& why,
                   std::size_t asked) noexcept {
  CentralList& list = lists_[cls];
  Taken taken = list.take(*this, cls, want, false, asked);
  if (taken.blocks.count == 0 && make_room(taken.refusal, class_bytes(cls))) {
    taken = list.take(*this, cls, want, false);
  }
  if (taken.blocks.count == 0) {
    count_failure(taken.refusal);
    if (may_exceed && taken.refusal != Refusal::System) {
      taken = list.take(*this, cls, 1, true);
      if (taken.refusal == Refusal::System) count_failure(taken.refusal);
    }
  }
  why = taken.refusal;
  if (taken.blocks.count != 0) {
    ClassCounts& counts = counts_.classes[cls];
    (taken.fresh ? counts.fresh : counts.shared).add_shared();
  }
  return taken.blocks;
}

void* Pool::obtain_large(std::size_t bytes, bool may_exceed, Refusal& why, bool* fresh) noexcept {
  std::size_t size = round_to_pages(bytes);
  why = Refusal::None;
  void* object = large_.take(size);
  if (object != nullptr) {
    size = large_head(object).bytes;
    counts_.large_kept.add_shared();
  } else {
    Refusal refusal = charge(size, false);
    if (refusal != Refusal::None && make_room(refusal, size)) refusal = charge(size, false);
    if (refusal != Refusal::None) {
      count_failure(refusal);
      if (may_exceed) refusal = charge(size, true);
    }
    if (refusal == Refusal::None) {
      object = map_large(size);
      if (object == nullptr) {
        uncharge(size);
        refusal = Refusal::System;
        count_failure(refusal);
      }
    }
    why = refusal;
    if (object == nullptr) return nullptr;
    if (fresh != nullptr) *fresh = true;
    counts_.large.add_shared();
  }
  counts_.large_bytes.add_shared(size);
  unpoison(object, bytes);
  return object;
}

void Pool::give_large(void* object, bool keep) noexcept {
  const std::size_t size = large_head(object).bytes;
  counts_.large_frees.add_shared();
  counts_.large_freed_bytes.add_shared(size);
  if (!keep || shrinking() || !large_.put(object)) release_large(object);
}

uint64_t Pool::release_large(void* object) noexcept {
  const std::size_t size = large_head(object).bytes;
  const uint64_t released = unmap_large(object);
  counts_.released_bytes.add_shared(released);
  uncharge(size);
  return released;
}

bool Pool::make_room(Refusal refusal, uint64_t bytes) noexcept {
  // Only when that can help: emptying caches costs every thread, and a program that lives at its
  // limit comes here with each request. While the pool shrinks, caches keep nothing anyway.
  if (shrinking()) return false;
  const bool all = refusal != Refusal::PoolLimit;
  uint64_t cached = 0;
  for (unsigned i = 0; i < kPools; ++i) {
    if (all || i == index()) cached += usage(pools[i]).cached_bytes();
  }
  if (cached < bytes) return false;
  empty_caches();
  for (Pool& p : pools) {
    if (all || &p == this) p.release_empty();
  }
  return true;
}

void Pool::count_failure(Refusal refusal) noexcept {
  (refusal == Refusal::System ? counts_.failures_system : counts_.failures_limit).add_shared();
}

Span* Pool::new_span(unsigned cls) noexcept {
  Span* span = page_heap.allocate(span_slots(cls));
  if (span == nullptr) return nullptr;
  span->cls = static_cast<uint8_t>(cls);
  span->pool = index();
  if (id_ == PoolId::Heap) heap_class_at(span->start) = static_cast<uint8_t>(1 + cls);
  return span;
}

uint64_t Pool::release_spans(Span* chain, unsigned cls) noexcept {
  uint64_t released = 0;
  while (chain != nullptr) {
    Span& span = *chain;
    chain = span.next;
    const uint64_t charged = span.carved * class_bytes(cls);
    released += discard(span.start, span.slots * kSlotBytes);
    page_heap.free(span);
    uncharge(charged);
  }
  if (released != 0) {
    counts_.released_bytes.add_shared(released);
    counts_.classes[cls].released_bytes.add_shared(released);
  }
  return released;
}

void Pool::lock_all() noexcept {
  for (CentralList& list : lists_) list.lock();
  large_.lock();
}

void Pool::unlock_all() noexcept {
  large_.unlock();
  for (CentralList& list : lists_) list.unlock();
}

void lock_below_pools() noexcept {
  recheck_mutex.lock();
  page_heap.lock();
}

void unlock_below_pools() noexcept {
  page_heap.unlock();
  recheck_mutex.unlock();
}

uint64_t Pool::release_empty() noexcept {
  uint64_t released = 0;
  while (void* object = large_.take_any()) released += release_large(object);
  for (unsigned cls = 0; cls < kClasses; ++cls) released += lists_[cls].release_empty(*this, cls);
  return released;
}

}  // namespace zokio::mem
