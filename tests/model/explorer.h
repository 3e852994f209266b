// SPDX-License-Identifier: Apache-2.0
#pragma once

// The model checker: runs a small concurrent program again and again, each time with another
// interleaving and other values for its loads, until all within the bounds were seen.
//
//   TEST(QueueModel, EachItemOnce) {
//     EXPECT_HOLDS(explore("queue", {}, [](Execution& run) {
//       Queue queue;
//       run.thread("producer", [&] { queue.push(1); });
//       run.thread("consumer", [&] { ... });
//       run.go();                                   // until all of them ended
//       MODEL_CHECK(queue.empty(), "all was taken");
//     }));
//   }
//
// Threads are fibers on one system thread. Each access to an Atomic is a step before which another
// fiber may take over; the first `thread` calls go() for all. What is decided is a list of small
// numbers, so an execution can be repeated: first all lists within the bounds, depth first and with
// few preemptions first, then random ones. A failure prints its list and every step; the same test
// with ZOKIO_MODEL_REPLAY=<list> runs only that.
//
// Found in an execution: a failed MODEL_CHECK or ZOKIO_CHECK; a data race; a touch of freed memory;
// a deadlock; loops that wait for nothing (livelock); memory that is left.
//
// Memory: each location keeps all values it had. A load may see any that is not older than what the
// thread has seen already, or what happened before (views along release and acquire, fences, and
// C++20's rules for seq_cst operations and fences); so loads lag and stores seem delayed. Races
// are found by vector clocks. The code under test is compiled with the compiler's race
// instrumentation, whose calls end in hooks.cpp instead of a sanitizer: so plain memory, mutexes
// and the std::atomic of other files (shared_ptr's counts) take part without being rewritten.
//
// Limits, so that a pass is not taken for more than it is:
//   - Within the bounds of Options: preemptions, old values and spurious failures per execution.
//     A search that was cut off says so (`complete`), and random executions follow.
//   - A store is newer than all before it in time: no load buffering (a load never sees a store
//     that was not executed yet), no two stores seen in the other order by coherence.
//   - consume is acquire. A read-modify-write always sees the newest value, a failing
//     compare-exchange may see an older one.
//   - A thread in spin_pause() goes on after a change of what it looked at, and then sees it.
//   - A relaxed access to a plain std::atomic is no step and sees the newest value (statistics
//     would drown the rest); use Atomic where it matters.
//   - At most four threads and 1024 locations; time and thread-locals are the hooks' (hooks.cpp).
//
// Sources of the ideas: CHESS (preemption bound), PCT (random priorities), relacy and loom (fibers
// and histories), CDSChecker, and the views of the promising semantics.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "model/atomic.h"

namespace zokio::model {

struct Options {
  unsigned preemptions = 2;   // a thread that could go on is stopped so often
  unsigned stale = 2;         // loads that see an older value
  unsigned spurious = 1;      // weak compare-exchanges that fail for no reason
  uint64_t most = 150'000;    // executions of the search; then it is cut off
  uint64_t random = 5'000;    // random executions behind it, without these bounds
  unsigned steps = 3'000;     // of one execution; more is a livelock
  bool search_deeper = true;  // ZOKIO_MODEL_DEEP applies
};

struct Report {
  std::string name;
  bool failed = false;
  bool complete = false;  // all within the bounds was seen
  uint64_t executions = 0;
  uint64_t steps = 0;
  double seconds = 0;
  std::string text;       // of a failure: what, how to repeat it, the interleaving
  std::string decisions;  // of a failure
};

// The threads of one execution.
class Execution {
 public:
  // Requires: before go(). At most four. `name` is a literal.
  void thread(const char* name, std::function<void()> body);
  // Runs them to their ends, which happen before what follows.
  void go();

 private:
  friend class Engine;
  std::function<void()> bodies_[4];
  const char* names_[4] = {};
  unsigned count_ = 0;
};

using Body = std::function<void(Execution&)>;
Report explore(const char* name, const Options& options, const Body& body);

// --- In an execution ----------------------------------------------------------------------------

// The execution failed: prints it and ends the exploration. Does not return then.
void check(bool holds, const char* text, Where where = Where::current()) noexcept;
[[noreturn]] void fail(std::string_view text) noexcept;
// A number below n; all are tried.
unsigned choose(unsigned n) noexcept;
// The thread that runs: 0 the one that called go(), then 1 to 4. 0 outside an execution.
unsigned this_thread() noexcept;
bool in_execution() noexcept;

// Plain accesses, for what is not instrumented; each is checked for races.
void plain_access(const void* at, size_t size, bool write, Where where) noexcept;

// Plain shared data.
template <class T>
class Var {
 public:
  Var() = default;
  explicit Var(T value) : value_(std::move(value)) {}
  const T& get(Where where = Where::current()) const noexcept {
    plain_access(&value_, sizeof value_, false, where);
    return value_;
  }
  void set(T value, Where where = Where::current()) noexcept {
    plain_access(&value_, sizeof value_, true, where);
    value_ = std::move(value);
  }

 private:
  T value_{};
};

// Sleeps on an address until wake() of the same one; a step each. Edges between threads come from
// the words that are looked at before and after, as with a futex.
// False when it was a wait with a deadline, and nothing else could happen any more.
bool sleep_on(const void* at, bool has_deadline, Where where = Where::current()) noexcept;
void wake(const void* at, unsigned most, Where where = Where::current()) noexcept;

// A mutual exclusion that is no part of what is tested, with its edges; for models and fakes.
class Mutex {
 public:
  void lock() noexcept;
  void unlock() noexcept;
  bool try_lock() noexcept;

 private:
  Atomic<bool> locked_{false};
};

}  // namespace zokio::model

#define MODEL_CHECK(condition, text) ::zokio::model::check(static_cast<bool>(condition), text)

// Of GoogleTest: prints a line of figures, or the failure.
#define EXPECT_HOLDS(report)                         \
  do {                                               \
    const ::zokio::model::Report outcome = (report); \
    ::zokio::model::print(outcome);                  \
    EXPECT_FALSE(outcome.failed) << outcome.text;    \
  } while (false)
// The explorer must find something whose text contains `what`.
#define EXPECT_FOUND(report, what)                                         \
  do {                                                                     \
    const ::zokio::model::Report outcome = (report);                       \
    EXPECT_TRUE(outcome.failed) << outcome.name << " should fail";         \
    EXPECT_NE(outcome.text.find(what), std::string::npos) << outcome.text; \
  } while (false)

namespace zokio::model {
void print(const Report& report);
}
