// SPDX-License-Identifier: Apache-2.0
#pragma once

// A pool that another module keeps, shown and capped beside those of mem: it is in snapshots(),
// set_limit() and check_limit() know its name, and trim() empties it. Its bytes do not count
// against the limit of all pools.

#include <cstdint>
#include <string_view>
#include <vector>

#include "zokio/base/pinned.h"
#include "zokio/base/result.h"
#include "zokio/mem/pools.h"

namespace zokio::mem {

// Thread: any, also several at a time.
class ClientPool : Pinned {
 public:
  virtual std::string_view name() const noexcept = 0;
  virtual PoolSnapshot snapshot() = 0;
  virtual Result<void> check_limit(uint64_t bytes, bool force) = 0;
  virtual Result<LimitReport> set_limit(uint64_t bytes, bool force) = 0;
  // Gives back what is cached; the resident bytes that were released.
  virtual uint64_t trim() = 0;

 protected:
  ~ClientPool() = default;
};

// From now on and for ever; once more is nothing. Requires: the pool is never destroyed, at most
// kClientPools of them.
inline constexpr unsigned kClientPools = 4;
void add_client_pool(ClientPool& pool) noexcept;

// For pools.cpp. Null: none of this name.
ClientPool* find_client_pool(std::string_view name) noexcept;
void add_client_snapshots(std::vector<PoolSnapshot>& out);
uint64_t trim_client_pools();

}  // namespace zokio::mem
