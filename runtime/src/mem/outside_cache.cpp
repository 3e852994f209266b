// SPDX-License-Identifier: Apache-2.0
#include "mem/outside_cache.h"

#include <utility>

#include "mem/thread_cache.h"

namespace zokio::mem {
namespace {

// Blocks after which a thread gets a cache: by feel, more than a thread needs that starts a runtime
// and waits for it.
constexpr unsigned kBlocksBefore = 128;

struct Outside {
  ThreadCache* cache = nullptr;
  unsigned blocks_left = kBlocksBefore;
  bool own = false;
};
constinit thread_local Outside outside;

// Ends the cache with its thread.
struct End {
  ~End() {
    has_own_cache();  // what comes after this goes to the central lists
    release_thread_cache(std::exchange(outside.cache, nullptr));
  }
};

// Null: not yet, or no more.
ThreadCache* outside_cache() noexcept {
#ifndef ZOKIO_MODEL  // which runs many threads as one, again and again
  if (outside.cache != nullptr || outside.blocks_left == 0) [[likely]]
    return outside.cache;
  if (--outside.blocks_left == 0) {
    thread_local End end;
    outside.cache = acquire_thread_cache();
    if (outside.cache != nullptr) outside.cache->park();
  }
#endif
  return nullptr;
}

}  // namespace

void has_own_cache() noexcept {
  outside.blocks_left = 0;
  outside.own = true;
}
bool had_own_cache() noexcept {
  return outside.own;
}

FreeBlock* take_outside(PoolId id, unsigned cls, bool may_exceed, Refusal& why,
                        std::size_t asked) noexcept {
  ThreadCache* cache = outside_cache();
  if (cache == nullptr) return pool(id).obtain(cls, 1, may_exceed, why, asked).head;
  cache->unpark();
  FreeBlock* block = cache->take(id, cls, may_exceed, why, asked);
  cache->prefetch(id, cls);
  cache->park_until_next_use();
  return block;
}

void give_outside(PoolId id, unsigned cls, FreeBlock* block) noexcept {
  if (ThreadCache* cache = outside_cache()) {
    cache->unpark();
    cache->put(id, cls, block);
    cache->park_until_next_use();
    return;
  }
  pool(id).counts().classes[cls].frees.add_shared();
  Batch one;
  one.push(block);
  pool(id).give(cls, one);
}

}  // namespace zokio::mem
