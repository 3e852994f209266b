// SPDX-License-Identifier: Apache-2.0
#include "mem/fork.h"

#include "mem/debug_heap.h"
#include "mem/decay.h"
#include "mem/pool.h"
#include "mem/thread_cache.h"
#include "zokio/mem/mode.h"

namespace zokio::mem {

// In the order in which they are taken elsewhere: decay, registry, lists, what is below.
void before_fork() noexcept {
  lock_decay();
  if constexpr (kMode == Mode::Debug) debug::lock();
  lock_registry();
  for (unsigned i = 0; i < kPools; ++i) pool(i).lock_all();
  lock_below_pools();
}

void after_fork() noexcept {
  unlock_below_pools();
  for (unsigned i = 0; i < kPools; ++i) pool(i).unlock_all();
  unlock_registry();
  if constexpr (kMode == Mode::Debug) debug::unlock();
  unlock_decay();
}

}  // namespace zokio::mem
