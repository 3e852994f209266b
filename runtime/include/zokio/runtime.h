// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runtime: workers, reactors and pools as one object that a program owns.
//
// Everything that has a size can be changed while tasks run; each change is serialised by one
// control thread, ends in a report, and never drops work.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/diagnostics.h"
#include "zokio/io/options.h"
#include "zokio/spawn.h"
#include "zokio/spawn_blocking.h"
#include "zokio/stats/resize_report.h"
#include "zokio/stats/snapshot.h"
#include "zokio/task/task.h"

namespace zokio {

// Five core settings; the rest has defaults that rarely need a change.
struct RuntimeOptions {
  unsigned workers = 0;       // 0: the cores this process may use, by affinity and cgroup quota
  unsigned reactors = 0;      // 0: one for each worker, at most 4
  uint64_t memory_limit = 0;  // bytes of all pools together; 0: none
  Backend backend =
      Backend::Auto;  // Auto: io_uring when its probe passes, else epoll with the reason kept
  uint64_t seed = 0;  // of steal order; 0: from the clock

  Placement placement = Placement::Inline;
  unsigned ring_entries = 256;                     // of each reactor's submission queue
  unsigned receive_buffers = 256;                  // of each ring, that receives pick from
  unsigned blocking_threads = 8;                   // at most; started on demand
  std::string thread_name = "zokio";               // prefix of thread names
  Compensation compensation = Compensation::Wake;  // for a worker that is stuck in one task
  unsigned compensation_workers = 1;               // ExtraWorker: at most so many more at a time
  // No threads at all: tasks, timers and I/O progress only while the thread that created the
  // runtime is inside block_on() or run_until(), in the order they became ready. One worker, one
  // reactor, not resizable; blocking calls still get threads, on demand.
  bool current_thread = false;
  // Fewer workers while the cgroup's processor quota pays for fewer; looked at once a second.
  bool follow_cpu_quota = false;
  // The pools together at most four fifths of what the cgroup may use, and a trim and small caches
  // while it is short of memory; looked at once a second.
  bool follow_memory = false;

  RuntimeOptions() {}
};

class Runtime {
 public:
  // Never half-built. Errors: InvalidArgument (0 < workers <= kWorkerSlots, ...), ResourceExhausted
  // (threads), Unavailable (backend Uring asked for and refused by the kernel).
  static Result<std::unique_ptr<Runtime>> create(RuntimeOptions options = {});
  // Cancels what runs, waits for it, stops the threads. Not from a task of this runtime.
  ~Runtime();

  // Starts a task on `f(args...)`, a callable that returns Task<T>. Callable and arguments are
  // moved into the task; references and views are rejected at compile time (std::ref is taken as a
  // promise). Thread: any.
  template <class F, class... A>
    requires internal::Spawnable<F, A...>
  JoinHandle<internal::SpawnResult<F, A...>> spawn(F f, A... args) {
    return internal::spawn_on(*executor(), "", std::move(f), std::move(args)...);
  }
  // The same with a name (static string) for dumps and diagnostics.
  template <class F, class... A>
    requires internal::Spawnable<F, A...>
  JoinHandle<internal::SpawnResult<F, A...>> spawn_named(const char* name, F f, A... args) {
    return internal::spawn_on(*executor(), name, std::move(f), std::move(args)...);
  }

  // The rest, with the reason as the compiler's message.
  template <class F, class... A>
    requires(!internal::Spawnable<std::decay_t<F>, std::decay_t<A>...>)
  internal::Refused spawn(F&&, A&&...) {
    internal::explain_spawn<std::decay_t<F>, std::decay_t<A>...>();
    return {};
  }

  // A plain function that may block, on a thread of the blocking pool: spawn_blocking.h. Thread:
  // any.
  template <class F, class... A>
    requires internal::BlockingCallable<F, A...>
  auto spawn_blocking(F f, A... args) {
    return internal::spawn_blocking_on(*executor(), std::move(f), std::move(args)...);
  }

  // Runs `f(args...)` as a task and blocks this thread until it ended. Not from a worker.
  // References are allowed: the caller waits.
  template <class F, class... A>
  auto block_on(F f, A&&... args) {
    return internal::block_on(
        *executor(), [this](const task::Promise& task) { await_end(task); }, std::move(f),
        std::forward<A>(args)...);
  }
  // The same for a task that is there already: runs it, and on a current-thread runtime everything
  // else meanwhile, until it has ended. Yields its outcome; rethrows what it threw.
  template <class T>
  Outcome<T> run_until(Task<T> task) {
    return block_on([&task] { return std::move(task); });
  }

  // Live resizing. Each awaits its turn and its end; the blocking forms are for threads that are
  // not workers of this runtime (FailedPrecondition there). Errors: InvalidArgument (0 or above the
  // cap), ResourceExhausted (a thread could not be started; what was reached stays),
  // FailedPrecondition (pool limit below the bytes in use without `force`; workers and reactors of
  // a current-thread runtime).
  Task<Result<ResizeReport>> resize_workers(unsigned count);
  Task<Result<ResizeReport>> resize_reactors(unsigned count);
  Result<ResizeReport> resize_workers_blocking(unsigned count);
  Result<ResizeReport> resize_reactors_blocking(unsigned count);
  // The submission queue of every ring, 32 to 4096, rounded up to a power of two; the completion
  // queue is four times that and at least 4096. Operations go on meanwhile. The report says which
  // way each ring went, and what was refused; under epoll nothing happens. Errors: InvalidArgument,
  // by errno (no ring could be changed), DeadlineExceeded/Stalled (no owner came to it in 10 s).
  Task<Result<ResizeReport>> resize_rings(unsigned entries, RingChange how = RingChange::InPlace);
  Result<ResizeReport> resize_rings_blocking(unsigned entries,
                                             RingChange how = RingChange::InPlace);
  // The buffers of 4 KiB that receives without a buffer pick from, for each ring: a power of two
  // from 2 to 32768. Reports and errors as above.
  Task<Result<ResizeReport>> resize_receive_buffers(unsigned count);
  Result<ResizeReport> resize_receive_buffers_blocking(unsigned count);
  // Immediate: the limit holds from now on, cached blocks above it are returned; with `force` a
  // limit below the bytes in use is taken and converges as blocks are freed
  // (PoolSnapshot::shrinking). Thread: any. "total" is all pools together (`memory_limit`).
  // NotFound: no such pool ("frames", "buffers", "heap", "total").
  Result<ResizeReport> resize_pool(std::string_view pool, uint64_t limit_bytes, bool force = false);
  // Checks what resize_pool would say, and changes nothing.
  Result<void> check_pool(std::string_view pool, uint64_t limit_bytes, bool force = false) const;
  // Gives cached memory back to the system; bytes really released.
  uint64_t trim();

  // Thread: any. Takes no scheduler lock.
  RuntimeSnapshot stats() const;
  const RuntimeOptions& options() const;

  // Diagnostics: docs/diagnostics.md. Thread: any. ------------------------------------------------

  // The live tasks with what they wait for. Each task is held for about a microsecond, none longer.
  TaskDump dump(const DumpOptions& options = {}) const;
  // From now on stalls are found by `options`, and each report is given to `callback` (may be
  // empty) on the watchdog's thread. Before, the defaults hold: stalls are counted and kept.
  void on_stall(const StallOptions& options, StallCallback callback);
  // The last reports, at most 16.
  std::vector<StallReport> stalls() const;
  // Records trace events for `length`, the newest 16,384 of each worker; begins anew if it does
  // already. stop_trace() ends that and yields them, also after `length`.
  void start_trace(Duration length);
  Trace stop_trace();

  // Cancels every task and waits for them, at most until `deadline`. True when all ended.
  bool shutdown(Duration timeout);

  task::Executor* executor() noexcept;

 private:
  struct Impl;
  // Returns when `task` ended. A current-thread runtime is driven meanwhile.
  void await_end(const task::Promise& task);
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace zokio
