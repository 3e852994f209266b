// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the current thread is and what it is running: the runtime's only thread-local.
//
// A task may wake on another thread after any co_await, so no reference into the context is held
// across one; context() is a call on purpose, so that no compiler caches the address in a frame.

#include <cstdint>

namespace zokio::io {
class Reactor;
class Driver;
}  // namespace zokio::io
namespace zokio::time {
class Timers;
}
namespace zokio::mem {
class ThreadCache;
}
namespace zokio::stats {
struct WorkerShard;
}

namespace zokio::task {

struct Header;
class Executor;

inline constexpr uint32_t kNoWorker = UINT32_MAX;

struct Context {
  Executor* executor = nullptr;         // the runtime this thread works for; null outside
  Header* current = nullptr;            // the task being resumed; null between tasks
  io::Reactor* reactor = nullptr;       // hosted by this thread; null when it hosts none
  io::Driver* driver = nullptr;         // all reactors of the runtime; null without I/O
  time::Timers* timers = nullptr;       // this worker's timers; null outside workers
  mem::ThreadCache* cache = nullptr;    // this thread's memory cache; null: the central lists serve
  stats::WorkerShard* stats = nullptr;  // where this thread counts; null: the shared shard
  uint32_t worker = kNoWorker;          // worker slot
};

// Thread: the calling one. Never null.
Context& context() noexcept;

}  // namespace zokio::task
