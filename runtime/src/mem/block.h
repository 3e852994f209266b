// SPDX-License-Identifier: Apache-2.0
#pragma once

// Taking and giving one block of a pool, through this thread's cache when it has one.

#include <cstddef>

#include "mem/debug_heap.h"
#include "mem/outside_cache.h"
#include "mem/poison.h"
#include "mem/pool.h"
#include "mem/thread_cache.h"
#include "zokio/mem/mode.h"
#include "zokio/mem/size_class.h"

namespace zokio::mem {

// Null only for the reason `why`. With `may_exceed` limits are counted but not obeyed. `fresh` is
// set when every byte is 0.
inline void* take_raw(PoolId id, std::size_t bytes, bool may_exceed, Refusal& why,
                      bool* fresh = nullptr) noexcept {
  if (bytes > kMaxBlock) [[unlikely]]
    return pool(id).obtain_large(bytes, may_exceed, why, fresh);
  const unsigned cls = class_of(bytes);
  ThreadCache* cache = this_thread_cache;
  FreeBlock* block = cache != nullptr ? cache->take(id, cls, may_exceed, why, bytes)
                                      : take_outside(id, cls, may_exceed, why, bytes);
  // The rest of the block stays poisoned.
  if (block != nullptr) unpoison(block, bytes);
  return block;
}

// A block of this size was freed and somebody waits for one: it does not stay in this thread's
// cache.
void give_to_waiters(std::size_t bytes) noexcept;

// Requires: `p` came from take_raw(id, bytes, ...).
inline void give_raw(PoolId id, void* p, std::size_t bytes) noexcept {
  if (bytes > kMaxBlock) [[unlikely]]
    return pool(id).give_large(p);
  const unsigned cls = class_of(bytes);
  check_not_poisoned(p, bytes);
  poison(p, class_bytes(cls));
  auto* block = static_cast<FreeBlock*>(p);
  if (ThreadCache* cache = this_thread_cache) return cache->put(id, cls, block);
  give_outside(id, cls, block);
}

// The same in the mode of the build.
[[gnu::always_inline]] inline void* take_block(PoolId id, std::size_t bytes, bool may_exceed,
                                               Refusal& why) noexcept {
  if constexpr (kMode == Mode::Debug)
    return debug::take(id, bytes, kAlignment, may_exceed, /*zero=*/false, why, ZOKIO_CALLERS);
  else
    return take_raw(id, bytes, may_exceed, why);
}
[[gnu::always_inline]] inline void give_block(PoolId id, void* p, std::size_t bytes) noexcept {
  if constexpr (kMode == Mode::Debug)
    debug::give(id, p, bytes, ZOKIO_CALLERS);
  else
    give_raw(id, p, bytes);
  if (pool(id).waiters().load(std::memory_order_relaxed) != 0) [[unlikely]]
    give_to_waiters(bytes);
}

}  // namespace zokio::mem
