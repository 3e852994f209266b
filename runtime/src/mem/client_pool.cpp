// SPDX-License-Identifier: Apache-2.0
#include "mem/client_pool.h"

#include <array>
#include <mutex>

#include "zokio/base/assert.h"
#include "zokio/base/spin_lock.h"

namespace zokio::mem {
namespace {

constinit SpinLock adding;  // one writer at a time
// Filled from the front. Ordering: release publishes the pool; pairs with the acquire in at().
constinit std::array<std::atomic<ClientPool*>, kClientPools> client_pools{};

ClientPool* at(unsigned i) noexcept {
  return i < kClientPools ? client_pools[i].load(std::memory_order_acquire) : nullptr;
}

}  // namespace

void add_client_pool(ClientPool& pool) noexcept {
  const std::scoped_lock guard(adding);
  unsigned i = 0;
  for (; ClientPool* known = at(i); ++i)
    if (known == &pool) return;
  ZOKIO_CHECK(i < kClientPools, "more pools of other modules than there is room for");
  client_pools[i].store(&pool, std::memory_order_release);
}

ClientPool* find_client_pool(std::string_view name) noexcept {
  for (unsigned i = 0; ClientPool* pool = at(i); ++i)
    if (pool->name() == name) return pool;
  return nullptr;
}

void add_client_snapshots(std::vector<PoolSnapshot>& out) {
  for (unsigned i = 0; ClientPool* pool = at(i); ++i) out.push_back(pool->snapshot());
}

uint64_t trim_client_pools() {
  uint64_t released = 0;
  for (unsigned i = 0; ClientPool* pool = at(i); ++i) released += pool->trim();
  return released;
}

}  // namespace zokio::mem
