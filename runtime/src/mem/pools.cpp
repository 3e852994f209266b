// SPDX-License-Identifier: Apache-2.0
// Figures and caps of the pools.

#include "zokio/mem/pools.h"

#include <mutex>

#include "mem/client_pool.h"
#include "mem/figures.h"
#include "mem/pool.h"
#include "mem/thread_cache.h"
#include "zokio/base/assert.h"

namespace zokio::mem {
namespace {

// One change of a limit at a time. Taken before every other lock of mem.
constinit std::mutex control_mutex;

Result<void> allowed(uint64_t in_use, uint64_t limit, bool force) {
  if (limit == 0 || force || in_use <= limit) return {};
  return fail(Errc::FailedPrecondition, "pool limit below the bytes in use", Detail::Limit);
}

uint64_t total_in_use() {
  uint64_t bytes = 0;
  for (unsigned i = 0; i < kPools; ++i) bytes += usage(pool(i)).in_use_bytes;
  return bytes;
}

// Requires: control_mutex. `only` is null for the limit of all pools.
LimitReport apply(Budget& budget, Pool* only, uint64_t bytes) {
  LimitReport report{.from = budget.limit(), .requested = bytes};
  budget.set_limit(bytes);
  recheck_limits();
  next_cache_epoch();  // magazines follow the limit also when nothing has to go
  if (budget.over()) {
    empty_caches();
    for (unsigned i = 0; i < kPools; ++i) {
      if (only == nullptr || only == &pool(i)) report.released_bytes += pool(i).release_empty();
    }
  }
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
  return out;
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

uint64_t total_limit() noexcept {
  return total_budget().limit();
}

uint64_t trim() {
  empty_caches();
  uint64_t released = 0;
  for (unsigned i = 0; i < kPools; ++i) released += pool(i).release_empty();
  return released + trim_client_pools();
}

}  // namespace zokio::mem
