// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the current thread is and what it is running: the runtime's only thread-local besides the
// memory cache.
//
// A task may wake on another thread after any co_await, and a fiber after any switch, so no
// reference into the context is held across one. The address is computed by volatile assembler each
// time: no compiler may keep the old thread's.

#include <atomic>
#include <cstdint>

#include "zokio/base/atomic.h"

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
namespace zokio::sched {
class Worker;
}

namespace zokio::task {

struct Header;
struct Ledger;
class Executor;
class ForkDeque;
class ForkHost;

inline constexpr uint32_t kNoWorker = UINT32_MAX;

// Ready steps of one poll before the others get a turn, and switches from one task straight to
// another before the worker's loop looks at its other duties. By feel, as Tokio's 128.
inline constexpr uint32_t kPollBudget = 128;
inline constexpr uint32_t kInlineSwitches = 64;

struct Context {
  Executor* executor = nullptr;       // the runtime this thread works for; null outside
  Header* current = nullptr;          // the task being resumed; null between tasks
  Atomic<Header*>* lifo = nullptr;    // the worker's newest ready task; null outside workers
  uint32_t budget = kPollBudget;      // see consume_budget
  uint32_t switches = 0;              // that this poll may still make
  uint32_t newest_left = 0;           // times in a row that the newest still goes first
  ForkDeque* forks = nullptr;         // what the running task forked; null outside workers
  ForkHost* fork_host = nullptr;      // the worker, as forks know it
  sched::Worker* self = nullptr;      // the worker; null outside
  io::Reactor* reactor = nullptr;     // hosted by this thread; null when it hosts none
  io::Driver* driver = nullptr;       // all reactors of the runtime; null without I/O
  time::Timers* timers = nullptr;     // this worker's timers; null outside workers
  mem::ThreadCache* cache = nullptr;  // this thread's memory cache; null: the central lists serve
  Ledger* ledger = nullptr;           // where this worker counts tasks; null: ask the executor
  const std::atomic<uint8_t>* unusual = nullptr;  // with a ledger: 0, or ask the executor as well
  uint32_t worker = kNoWorker;                    // worker slot
  uint16_t group = 0;                             // the executor's own number: Header::group
};

#if defined(__x86_64__) && !defined(ZOKIO_MODEL)

// Initial-exec, so that it costs two instructions in a program and in a shared library alike.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local Context thread_context asm(
    "zokio_thread_context");

// Thread: the calling one.
inline Context& context() noexcept {
  Context* address;
  asm volatile(
      "movq zokio_thread_context@gottpoff(%%rip), %0\n\t"
      "addq %%fs:0, %0"
      : "=r"(address)
      :
      : "cc");
  return *address;
}

#else

// Out of line and opaque, for the same reason.
Context& context() noexcept;

#endif

}  // namespace zokio::task
