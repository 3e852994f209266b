// SPDX-License-Identifier: Apache-2.0
// Magazines for a thread that asks for them, until it ends.
//
// The end is seen by a key of the threads library and not by a thread_local with a destructor,
// because registering one of those allocates, and this may be what allocates.

#include <pthread.h>

#include "mem/outside_cache.h"
#include "mem/thread_cache.h"
#include "zokio/mem/allocate.h"

namespace zokio::mem {
namespace {

pthread_key_t key;
bool key_made = false;
pthread_once_t once = PTHREAD_ONCE_INIT;

void end_of_thread(void* cache) {
  // What the thread frees after this goes to the central lists.
  release_thread_cache(static_cast<ThreadCache*>(cache));
}

void make_key() {
  key_made = pthread_key_create(&key, &end_of_thread) == 0;
}

}  // namespace

bool attach_thread() noexcept {
  if (this_thread_cache != nullptr) return true;
  if (had_own_cache()) return false;  // it is parked, or the thread is ending
  pthread_once(&once, &make_key);
  if (!key_made) return false;
  ThreadCache* cache = acquire_thread_cache();
  if (cache == nullptr) return false;
  set_current_cache(cache);
  // Without the entry the cache would stay when the thread ends: memory lost, not an error.
  pthread_setspecific(key, cache);
  return true;
}

}  // namespace zokio::mem
