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

constinit PageHeap page_heaps[kMaxNodes];
constinit Pool pools[kPools] = {Pool(PoolId::Frames), Pool(PoolId::Buffers), Pool(PoolId::Heap)};
// All zero, so that they cost nothing where there is one node.
constinit std::array<std::array<CentralList, kClasses>, kMaxNodes - 1> far_lists[kPools];
constinit Budget total;
constinit std::mutex recheck_mutex;
// A copy of "some pool shrinks", so that giving memory back costs one load while none does.
constinit Atomic<bool> any_shrinking{false};
constinit std::atomic<bool> pressure{false};
constinit std::atomic<void (*)()> room_told{nullptr};
constinit std::atomic<bool> huge_pages_on{false};

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

bool under_pressure() noexcept {
  return pressure.load(std::memory_order_relaxed);
}
void set_under_pressure(bool value) noexcept {
  pressure.store(value, std::memory_order_relaxed);
}
void on_room(void (*told)()) noexcept {
  room_told.store(told, std::memory_order_release);
}
void tell_room() noexcept {
  if (auto* told = room_told.load(std::memory_order_acquire)) told();
}
bool huge_pages_wanted() noexcept {
  return huge_pages_on.load(std::memory_order_relaxed);
}
void want_huge_pages(bool value) noexcept {
  huge_pages_on.store(value, std::memory_order_relaxed);
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
    if (p.set_shrinking(over)) {
      changed = true;
      if (!over) p.shrink().released_to.store(p.counts().released_bytes.read());
    }
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

CentralList& Pool::list(unsigned node, unsigned cls) noexcept {
  return node == 0 ? lists_[cls] : far_lists[index()][node - 1][cls];
}

Taken Pool::take(unsigned cls, unsigned want, bool above_limit, std::size_t asked) noexcept {
  const unsigned here = this_node();
  Taken taken = list(here, cls).take(*this, cls, want, above_limit, asked, here);
  for (unsigned node = 0; taken.blocks.count == 0 && node < numa_nodes(); ++node) {
    if (node == here) continue;
    const Taken other = list(node, cls).take(*this, cls, want, above_limit, asked, node);
    if (other.blocks.count != 0) return other;
  }
  return taken;
}

void Pool::give_by_node(unsigned cls, Batch batch) noexcept {
  std::array<Batch, kMaxNodes> parts{};
  while (batch.head != nullptr) {
    FreeBlock* block = batch.pop();
    parts[chunk_of(block)->node].push(block);
  }
  for (unsigned node = 0; node < kMaxNodes; ++node)
    if (parts[node].count != 0) list(node, cls).give(*this, cls, parts[node]);
}

ListFigures Pool::list_figures(unsigned cls) noexcept {
  ListFigures all = lists_[cls].figures();
  for (unsigned node = 1; node < numa_nodes(); ++node) all += list(node, cls).figures();
  return all;
}

Batch Pool::obtain(unsigned cls, unsigned want, bool may_exceed, Refusal& why,
                   std::size_t asked) noexcept {
  Taken taken = take(cls, want, false, asked);
  if (taken.blocks.count == 0 && make_room(taken.refusal, class_bytes(cls))) {
    taken = take(cls, want, false, 0);
  }
  if (taken.blocks.count == 0) {
    count_failure(taken.refusal);
    if (may_exceed && taken.refusal != Refusal::System) {
      taken = take(cls, 1, true, 0);
      taken.exceeds = taken.blocks.count != 0;
      if (taken.refusal == Refusal::System) count_failure(taken.refusal);
    }
  }
  why = taken.refusal;
  if (taken.exceeds) counts_.overflows.add_shared();
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
      if (may_exceed) {
        refusal = charge(size, true);
        counts_.overflows.add_shared();
      }
    }
    if (refusal == Refusal::None) {
      object = map_large(size, huge_pages_wanted());
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
    if (large_head(object).huge) huge_bytes_.fetch_add(size, std::memory_order_relaxed);
  }
  counts_.large_bytes.add_shared(size);
  unpoison(object, bytes);
  return object;
}

void Pool::give_large(void* object, bool keep) noexcept {
  const std::size_t size = large_head(object).bytes;
  counts_.large_frees.add_shared();
  counts_.large_freed_bytes.add_shared(size);
  if (!keep || shrinking() || !large_.put(object, large_cap())) release_large(object);
}

uint64_t Pool::release_large(void* object) noexcept {
  const std::size_t size = large_head(object).bytes;
  if (large_head(object).huge) huge_bytes_.fetch_sub(size, std::memory_order_relaxed);
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

Span* Pool::new_span(unsigned cls, unsigned node) noexcept {
  Span* span = page_heaps[node].allocate(span_slots(cls), node);
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
    const uint64_t resident = discard(span.start, span.slots * kSlotBytes);
    released += resident;
    page_heaps[chunk_of(span.start)->node].free(span);
    counts_.released_bytes.add_shared(resident);  // before: who reaches a limit reads it
    uncharge(charged);
  }
  if (released != 0) counts_.classes[cls].released_bytes.add_shared(released);
  return released;
}

PoolSettings Pool::settings() const noexcept {
  return {.thread_cache_bytes = thread_cap_.load(std::memory_order_relaxed),
          .central_cache_bytes = central_cap_.load(std::memory_order_relaxed),
          .when_full = when_full_.load(std::memory_order_relaxed)};
}

void Pool::set_settings(const PoolSettings& settings) noexcept {
  thread_cap_.store(settings.thread_cache_bytes, std::memory_order_relaxed);
  central_cap_.store(settings.central_cache_bytes, std::memory_order_relaxed);
  when_full_.store(settings.when_full, std::memory_order_relaxed);
}

uint64_t Pool::thread_cache_cap() const noexcept {
  const uint64_t cap = thread_cap_.load(std::memory_order_relaxed);
  if (!under_pressure()) return cap;
  return cap == 0 ? kThreadKeepUnderPressure : std::min(cap, kThreadKeepUnderPressure);
}

int64_t Pool::central_cap(int64_t free) const noexcept {
  const uint64_t set = central_cap_.load(std::memory_order_relaxed);
  const int64_t others = static_cast<int64_t>(budget_.held()) - free;
  const int64_t cap =
      set != 0 ? static_cast<int64_t>(set) : std::max(central_keep(id_), others / kCentralShare);
  return under_pressure() ? std::min(cap, static_cast<int64_t>(kKeepUnderPressure)) : cap;
}

uint64_t Pool::large_cap() const noexcept {
  if (under_pressure()) return 0;
  const uint64_t set = central_cap_.load(std::memory_order_relaxed);
  const int64_t free = central_free_.load(std::memory_order_relaxed);
  if (set == 0) return LargeCache::kMostBytes;
  const auto kept = static_cast<uint64_t>(std::max<int64_t>(free, 0));
  return std::min<uint64_t>(LargeCache::kMostBytes, set > kept ? set - kept : 0);
}

Decayed Pool::decay(unsigned place, bool step, uint64_t most) noexcept {
  Decayed out;
  if (place < kClasses) {
    for (unsigned node = 0; node < numa_nodes(); ++node) {
      const Decayed part = list(node, place).decay(*this, place, step, most);
      out.released += part.released;
      out.more |= part.more;
      out.settled &= part.settled;
    }
  } else {
    void* object = large_.take_idle(step, out.settled);
    out.more = object != nullptr;
    if (object != nullptr) out.released = release_large(object);
  }
  if (out.released != 0) counts_.decayed_bytes.add_shared(out.released);
  return out;
}

void Pool::lock_all() noexcept {
  for (unsigned node = 0; node < numa_nodes(); ++node)
    for (unsigned cls = 0; cls < kClasses; ++cls) list(node, cls).lock();
  large_.lock();
}

void Pool::unlock_all() noexcept {
  large_.unlock();
  for (unsigned node = 0; node < numa_nodes(); ++node)
    for (unsigned cls = 0; cls < kClasses; ++cls) list(node, cls).unlock();
}

void lock_below_pools() noexcept {
  recheck_mutex.lock();
  for (unsigned node = 0; node < numa_nodes(); ++node) page_heaps[node].lock();
}

void unlock_below_pools() noexcept {
  for (unsigned node = 0; node < numa_nodes(); ++node) page_heaps[node].unlock();
  recheck_mutex.unlock();
}

void Pool::release_above_cap() noexcept {
  for (;;) {
    if (large_.bytes() <= large_cap()) break;
    void* object = large_.take_any();
    if (object == nullptr) break;
    release_large(object);
  }
  // Class by class, and all of a class: what is wanted of it comes back at its next use.
  for (unsigned cls = kClasses; cls-- > 0 && !wants_to_keep();)
    for (unsigned node = 0; node < numa_nodes(); ++node) list(node, cls).release_empty(*this, cls);
}

uint64_t Pool::release_empty() noexcept {
  uint64_t released = 0;
  while (void* object = large_.take_any()) released += release_large(object);
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    for (unsigned node = 0; node < numa_nodes(); ++node)
      released += list(node, cls).release_empty(*this, cls);
  }
  return released;
}

}  // namespace zokio::mem
