// SPDX-License-Identifier: Apache-2.0
// Figures and caps of the pools.

#include "zokio/mem/pools.h"

#include <algorithm>
#include <iterator>
#include <mutex>

#include "mem/client_pool.h"
#include "mem/figures.h"
#include "mem/pool.h"
#include "mem/thread_cache.h"
#include "zokio/base/assert.h"
#include "zokio/mem/debug.h"
#include "zokio/mem/mode.h"

namespace zokio::mem {
namespace {

// One change of a limit at a time. Taken before every other lock of mem.
constinit std::mutex control_mutex;

constinit stats::Counter pressure_trims;
constinit stats::Counter pressure_released;

constexpr std::string_view kWhenFull[] = {"fail", "wait", "overflow"};

Result<void> allowed(uint64_t in_use, uint64_t limit, bool force) {
  if (limit == 0 || force || in_use <= limit) return {};
  return fail(Errc::FailedPrecondition, "pool limit below the bytes in use", Detail::Limit);
}

uint64_t total_in_use() {
  uint64_t bytes = 0;
  for (unsigned i = 0; i < kPools; ++i) bytes += usage(pool(i)).in_use_bytes;
  return bytes;
}

uint64_t none_is_most(uint64_t limit) {
  return limit == 0 ? UINT64_MAX : limit;
}

// Requires: control_mutex. `only` is null for the limit of all pools.
LimitReport apply(Budget& budget, Pool* only, uint64_t bytes) {
  LimitReport report{.from = budget.limit(), .requested = bytes};
  const bool lowered = none_is_most(bytes) < none_is_most(report.from);
  for (unsigned i = 0; i < kPools && report.from != bytes; ++i) {
    if (only != nullptr && only != &pool(i)) continue;
    Pool::Shrink& shrink = pool(i).shrink();
    const uint64_t released = pool(i).counts().released_bytes.read();
    shrink.asked.store(lowered);
    shrink.released.store(released);
    shrink.released_to.store(released);
  }
  budget.set_limit(bytes);
  recheck_limits();
  next_cache_epoch();  // magazines follow the limit also when nothing has to go
  if (budget.over()) {
    empty_caches();
    for (unsigned i = 0; i < kPools; ++i) {
      if (only == nullptr || only == &pool(i)) report.released_bytes += pool(i).release_empty();
    }
  }
  for (unsigned i = 0; i < kPools; ++i) {
    // Reached by what was released just now, also where the pool was never above it.
    if (pool(i).shrinking() || (only != nullptr && only != &pool(i))) continue;
    pool(i).shrink().released_to.store(pool(i).counts().released_bytes.read());
  }
  tell_room();
  report.held_bytes = budget.held();
  report.residual_bytes = budget.excess();
  return report;
}

}  // namespace

std::string_view pool_name(PoolId id) noexcept {
  switch (id) {
    case PoolId::Frames:
      return "frames";
    case PoolId::Buffers:
      return "buffers";
    case PoolId::Heap:
      return "heap";
  }
  ZOKIO_PANIC("no such pool");
}

Result<PoolId> find_pool(std::string_view name) {
  for (unsigned i = 0; i < kPools; ++i) {
    if (const PoolId id = pool(i).id(); name == pool_name(id)) return id;
  }
  return fail(Errc::NotFound, "pool");
}

namespace {

void limit_figures(Pool& p, PoolSnapshot& out) {
  PoolCounts& counts = p.counts();
  const Pool::Shrink& shrink = p.shrink();
  const bool asked = shrink.asked.load();
  out.residual_bytes = std::max(p.budget().excess(), total_budget().excess());
  out.state =
      out.shrinking ? PoolState::Shrinking : (asked ? PoolState::AtTarget : PoolState::Active);
  const uint64_t to = out.shrinking ? counts.released_bytes.read() : shrink.released_to.load();
  if (asked) out.shrink_released_bytes = to - std::min(to, shrink.released.load());
  out.decayed_bytes = counts.decayed_bytes.read();
  const PoolSettings now = p.settings();
  out.thread_cache_limit_bytes = now.thread_cache_bytes;
  out.central_cache_limit_bytes = now.central_cache_bytes;
  out.when_full = when_full_name(now.when_full);
  out.overflows = counts.overflows.read();
  out.waits = counts.waits.read();
  out.wait_ns = counts.wait_ns.read();
  out.waiters = p.waiters().load(std::memory_order_relaxed);
  out.huge_bytes = p.huge_bytes().load(std::memory_order_relaxed);
}

}  // namespace

PoolSnapshot snapshot(PoolId id) {
  Pool& p = pool(id);
  PoolCounts& counts = p.counts();
  PoolSnapshot out;
  out.name = pool_name(id);
  out.limit_bytes = p.budget().limit();
  const Usage now = usage(p);
  out.in_use_bytes = now.in_use_bytes;
  out.cached_bytes = now.cached_bytes();
  out.high_water_bytes = p.budget().high_water();
  out.objects_in_use = now.objects;
  out.hits_thread = now.hits_thread;
  out.hits_shared = now.hits_shared;
  out.misses_os = now.fresh;
  out.frees = now.frees;
  out.refill_bytes = counts.refill_bytes.read();
  out.released_bytes = counts.released_bytes.read();
  out.failures_limit = counts.failures_limit.read();
  out.failures_os = counts.failures_system.read();
  out.shrinking = p.budget().over() || total_budget().over();
  add_class_figures(p, out);
  limit_figures(p, out);
  return out;
}

Result<WhenFull> find_when_full(std::string_view name) {
  for (unsigned i = 0; i < std::size(kWhenFull); ++i)
    if (name == kWhenFull[i]) return static_cast<WhenFull>(i);
  return fail(Errc::NotFound, "policy of a full pool");
}
std::string_view when_full_name(WhenFull policy) noexcept {
  return kWhenFull[static_cast<unsigned>(policy)];
}

PoolSettings settings(PoolId id) noexcept {
  return pool(id).settings();
}

Result<void> check_settings(std::string_view name, const PoolSettings& to) {
  ZOKIO_TRY(const PoolId id, find_pool(name));
  const bool can_fail = id != PoolId::Frames;
  const bool can_wait = id == PoolId::Buffers;
  const bool ok =
      to.when_full == WhenFull::Overflow || (to.when_full == WhenFull::Wait ? can_wait : can_fail);
  if (!ok) return fail(Errc::InvalidArgument, "the pool cannot have this policy when it is full");
  return {};
}

Result<void> set_settings(std::string_view name, const PoolSettings& to) {
  ZOKIO_CHECKED(check_settings(name, to));
  ZOKIO_TRY(const PoolId id, find_pool(name));
  const std::scoped_lock lock(control_mutex);
  Pool& p = pool(id);
  const PoolSettings from = p.settings();
  p.set_settings(to);
  const bool same = from.thread_cache_bytes == to.thread_cache_bytes &&
                    from.central_cache_bytes == to.central_cache_bytes;
  tell_room();  // who waits and should not any more
  if (same) return {};
  empty_caches();  // their sizes are taken anew
  p.release_above_cap();
  return {};
}

MemorySnapshot memory_snapshot() {
  const Budget& all = total_budget();
  MemorySnapshot out;
  out.limit_bytes = all.limit();
  out.held_bytes = all.held();
  out.high_water_bytes = all.high_water();
  out.residual_bytes = all.excess();
  out.decay_ns = decay().count();
  out.huge_pages = huge_pages_wanted();
  out.pressure = under_pressure();
  out.numa_nodes = numa_nodes();
  out.pressure_trims = pressure_trims.read();
  out.pressure_released_bytes = pressure_released.read();
  return out;
}

uint64_t set_pressure(bool short_of_memory) {
  const std::scoped_lock lock(control_mutex);
  const bool was = under_pressure();
  set_under_pressure(short_of_memory);
  if (!short_of_memory) {
    if (was) next_cache_epoch();  // magazines may be large again
    return 0;
  }
  const uint64_t released = trim();
  pressure_trims.add();
  pressure_released.add(released);
  return released;
}

void set_huge_pages(bool wanted) noexcept {
  want_huge_pages(wanted);
}
bool huge_pages() noexcept {
  return huge_pages_wanted();
}

std::vector<PoolSnapshot> snapshots() {
  std::vector<PoolSnapshot> all;
  for (unsigned i = 0; i < kPools; ++i) all.push_back(snapshot(pool(i).id()));
  add_client_snapshots(all);
  return all;
}

Result<LimitReport> set_limit(std::string_view name, uint64_t bytes, bool force) {
  if (ClientPool* client = find_client_pool(name)) return client->set_limit(bytes, force);
  ZOKIO_TRY(const PoolId id, find_pool(name));
  const std::scoped_lock lock(control_mutex);
  Pool& p = pool(id);
  ZOKIO_CHECKED(allowed(usage(p).in_use_bytes, bytes, force));
  return apply(p.budget(), &p, bytes);
}

Result<void> check_limit(std::string_view name, uint64_t bytes, bool force) {
  if (ClientPool* client = find_client_pool(name)) return client->check_limit(bytes, force);
  ZOKIO_TRY(const PoolId id, find_pool(name));
  return allowed(usage(pool(id)).in_use_bytes, bytes, force);
}

Result<LimitReport> set_total_limit(uint64_t bytes, bool force) {
  const std::scoped_lock lock(control_mutex);
  ZOKIO_CHECKED(allowed(total_in_use(), bytes, force));
  return apply(total_budget(), nullptr, bytes);
}

Result<void> check_total_limit(uint64_t bytes, bool force) {
  return allowed(total_in_use(), bytes, force);
}

uint64_t total_limit() noexcept {
  return total_budget().limit();
}

uint64_t trim() {
  if constexpr (kMode == Mode::Debug) debug::empty_quarantine();
  empty_caches();
  uint64_t released = 0;
  for (unsigned i = 0; i < kPools; ++i) released += pool(i).release_empty();
  return released + trim_client_pools();
}

}  // namespace zokio::mem
