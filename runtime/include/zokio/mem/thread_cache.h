// SPDX-License-Identifier: Apache-2.0
#pragma once

// A thread's cache of free blocks, for the threads that allocate much (the workers). Threads
// without one are served by the central lists.
//
// Life: acquire_thread_cache, set_current_cache on the thread that will use it, around every sleep
// park_thread_cache and unpark_thread_cache, at the end release_thread_cache.
// Thread: one at a time uses a cache; the current cache of a thread is used by every allocation of
// that thread.

namespace zokio::mem {

class ThreadCache;

// A new, empty cache, not yet used by any thread. Null when the system has no memory left: go on
// without one.
ThreadCache* acquire_thread_cache() noexcept;

// Gives the blocks of `cache` back to the central lists, its counts to the pools, and ends it. If
// it is the current cache of this thread, the thread has none afterwards. Null is allowed.
// Requires: no other thread has it as its current cache.
void release_thread_cache(ThreadCache* cache) noexcept;

// This thread's cache; null when it has none. A call on purpose, so that no compiler keeps the
// address of a thread-local in a coroutine frame.
ThreadCache* current_cache() noexcept;
void set_current_cache(ThreadCache* cache) noexcept;

// The owner goes to sleep: until unpark_thread_cache, trimming and lower limits may empty the cache
// from other threads. Between the two the thread has no cache; what it takes and gives meanwhile
// (completions that arrive while it waits) goes to the central lists. Null is allowed.
void park_thread_cache(ThreadCache* cache) noexcept;
void unpark_thread_cache(ThreadCache* cache) noexcept;

// Gives all blocks of `cache` back to the central lists. Requires: called by its owner.
void drain_thread_cache(ThreadCache* cache) noexcept;
// The same, while its owner sleeps. Null is allowed. Requires: it is not released meanwhile.
void drain_parked_cache(ThreadCache* cache) noexcept;

}  // namespace zokio::mem
