// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plain copies of every figure of a runtime, taken at one moment. Counters only grow, also across
// resizes: a retired slot keeps its figures and goes on from them when it is used again.
// Units: seconds are never stored; *_ns are nanoseconds, *_bytes are bytes, the rest are counts.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace zokio {

// A log-linear histogram: kSubBuckets per power of two, relative error of a bound <= 1/8.
struct HistogramSnapshot {
  // Cumulative counts are made by the reader; counts[i] is the number of values in bucket i.
  std::vector<uint64_t> counts;
  uint64_t count = 0;
  uint64_t sum = 0;

  // The value (ns) below or at which the share q (0..1) of the values lies; 0 when empty.
  uint64_t quantile(double q) const;
  // Values at or below `bound`, exact at bucket bounds, rounded down elsewhere.
  uint64_t count_at_most(uint64_t bound) const;
};

enum class WorkerState : uint8_t { Empty, Running, Parked, Retiring };

struct WorkerSnapshot {
  uint32_t slot = 0;
  WorkerState state = WorkerState::Empty;
  uint64_t queue_depth = 0;
  uint64_t polls = 0;  // resumptions of tasks
  uint64_t parks = 0;
  uint64_t noop_wakeups = 0;  // woken, found nothing
  uint64_t busy_ns = 0;       // not parked
  uint64_t steal_hits = 0;
  uint64_t steal_empty = 0;
  uint64_t steal_contended = 0;
  uint64_t stolen_tasks = 0;
  uint64_t local_overflows = 0;
  uint64_t scheduled_local = 0;
  uint64_t scheduled_io = 0;
  uint64_t scheduled_timer = 0;
  int64_t heartbeat_ns = 0;  // monotonic instant of the last pass of the loop
};

// The figures of one group of tasks.
struct GroupStats {
  std::string name;
  uint64_t shares = 0;
  uint64_t spawned = 0;   // tasks that came in: spawned in it, started by its tasks, moved to it
  uint64_t finished = 0;  // tasks that ended in it or moved away
  uint64_t queued = 0;    // that wait to be let in (max_running)
  uint64_t running = 0;   // let in and not ended: ready, running or waiting for something
  uint64_t ready = 0;     // of those, in the queue for a worker
  uint64_t refused = 0;   // spawns and reservations that hit a limit
  uint64_t polls = 0;     // resumptions of tasks
  uint64_t cpu_ns = 0;    // time in them, by the clock
  // The frames of the first coroutines of its tasks, in full blocks of the pool, and what tasks
  // reserved.
  uint64_t memory_bytes = 0;
  HistogramSnapshot delay_ns;  // ready to running, by samples
};

struct SchedulerSnapshot {
  uint32_t workers_desired = 0;
  std::vector<WorkerSnapshot> workers;  // every slot that was ever used
  uint32_t kept_threads = 0;            // of retired workers, until used again or 10 s later
  uint64_t injector_depth = 0;
  uint64_t scheduled_remote = 0;  // from outside the workers
  uint64_t blocking_depth = 0;
  uint64_t blocking_threads = 0;
  uint64_t blocking_busy = 0;
  uint64_t timers_pending = 0;
  uint64_t tasks_spawned = 0;
  uint64_t tasks_finished_ok = 0;
  uint64_t tasks_finished_error = 0;  // ended with an error other than Cancelled, or an exception
  uint64_t tasks_finished_cancelled = 0;
  uint64_t tasks_alive = 0;
  uint64_t stalls = 0;  // times a worker stayed in one task: stats/stall.h
  uint64_t stall_longest_ns = 0;
  uint32_t workers_extra = 0;      // in place of stuck ones now: Compensation::ExtraWorker
  HistogramSnapshot delay_ns;      // ready to running
  HistogramSnapshot poll_ns;       // one resumption
  std::vector<GroupStats> groups;  // those that have a handle or a task
  double cpu_quota = 0;            // processors that the cgroup pays for; 0: none, or not followed
};

// Where a pool stands with its limit.
enum class PoolState : uint8_t {
  Active,     // within it
  Shrinking,  // above it, converging: fresh memory is refused, what is freed goes back
  AtTarget,   // a lower limit was asked for and has been reached
};

// One class of blocks of a pool. What the figures are is said at PoolSnapshot.
struct ClassSnapshot {
  uint64_t block_bytes = 0;
  uint64_t in_use_bytes = 0;
  uint64_t cached_bytes = 0;
  uint64_t high_water_bytes = 0;
  uint64_t objects_in_use = 0;
  uint64_t hits_thread = 0;
  uint64_t hits_shared = 0;
  uint64_t misses_os = 0;
  uint64_t frees = 0;
  uint64_t refills = 0;
  uint64_t flushes = 0;
  uint64_t remote_frees = 0;
  uint64_t central_locks = 0;
  uint64_t central_contended = 0;
  uint64_t committed_bytes = 0;
  uint64_t stranded_bytes = 0;
  uint64_t requested_bytes = 0;
  uint64_t released_bytes = 0;

  double fragmentation() const;
  double reuse_rate() const;
  double hit_rate() const;
};

struct PoolSnapshot {
  std::string name;          // "frames", "buffers"
  uint64_t limit_bytes = 0;  // 0: none
  uint64_t in_use_bytes = 0;
  uint64_t cached_bytes = 0;  // free, kept by thread caches and central lists
  uint64_t high_water_bytes = 0;
  uint64_t objects_in_use = 0;
  uint64_t hits_thread = 0;  // served by the thread's cache
  uint64_t hits_shared = 0;  // served by the central list
  uint64_t misses_os = 0;    // fresh memory from the operating system
  uint64_t frees = 0;
  uint64_t refill_bytes = 0;
  uint64_t released_bytes = 0;  // given back to the operating system
  uint64_t failures_limit = 0;
  uint64_t failures_os = 0;
  bool shrinking = false;  // in use or cached above the limit, converging
  PoolState state = PoolState::Active;
  uint64_t residual_bytes = 0;             // above the limit
  uint64_t shrink_released_bytes = 0;      // given back since the limit was lowered last
  uint64_t decayed_bytes = 0;              // of released_bytes: because nobody needed it
  uint64_t thread_cache_limit_bytes = 0;   // 0: by itself
  uint64_t central_cache_limit_bytes = 0;  // 0: by itself
  std::string when_full;                   // "fail", "wait", "overflow"
  uint64_t overflows = 0;                  // requests served above the limit
  uint64_t waits = 0;                      // leases that waited for room, and how long together
  uint64_t wait_ns = 0;
  uint32_t waiters = 0;     // that wait now
  uint64_t huge_bytes = 0;  // of large objects for which the kernel was asked for huge pages

  // Blocks up to 1 MiB alone, unless said otherwise; docs/memory.md has the definitions.
  uint64_t refills = 0;                // lots that thread caches took from the central lists
  uint64_t flushes = 0;                // lots that they gave back
  uint64_t remote_frees = 0;           // freed by threads that did not take as many: at least these
  uint64_t central_locks = 0;          // times the lock of a central list was taken
  uint64_t central_contended = 0;      // and was not free at the first try
  uint64_t committed_bytes = 0;        // whole pages that ever had blocks; large objects too
  uint64_t stranded_bytes = 0;         // free, beside blocks in use, so that they cannot go back
  uint64_t requested_bytes = 0;        // of those in use, what was asked for: by samples
  HistogramSnapshot hit_ns;            // an allocation served by the thread's cache: by samples
  HistogramSnapshot miss_ns;           // one that had to refill it: by samples
  std::vector<ClassSnapshot> classes;  // that ever had blocks, by size

  // Committed, but neither in use nor free by policy; over committed. 0 when nothing is committed.
  double fragmentation() const;
  // Requested over committed.
  double utilisation() const;
  // Of all requests for blocks, those served without fresh memory, and by the thread's cache.
  double reuse_rate() const;
  double hit_rate() const;
  // The time (ns) within which the share q (0..1) of allocations is done: the two samples, weighted
  // by how many hits and misses there were. 0 without samples.
  uint64_t allocation_ns(double q) const;
};

// All pools together.
struct MemorySnapshot {
  uint64_t limit_bytes = 0;  // 0: none
  uint64_t held_bytes = 0;   // in use and cached
  uint64_t high_water_bytes = 0;
  uint64_t residual_bytes = 0;  // above the limit
  int64_t decay_ns = 0;         // 0: off
  bool huge_pages = false;
  bool pressure = false;    // the system is short of memory: caches are small
  uint32_t numa_nodes = 1;  // that arenas are kept apart for
  uint64_t pressure_trims = 0;
  uint64_t pressure_released_bytes = 0;
  uint64_t cgroup_limit_bytes = 0;  // the least of its limits; 0: none, or not followed
  uint64_t cgroup_used_bytes = 0;
};

// One kind of operation of one backend.
struct IoOpSnapshot {
  std::string op;       // "read", "write", "accept", ...
  std::string backend;  // "io_uring", "epoll"
  uint64_t ok = 0;
  uint64_t error = 0;
  uint64_t cancelled = 0;
  uint64_t bytes = 0;
  HistogramSnapshot duration_ns;  // submitted to completed
};

enum class ReactorState : uint8_t { Empty, Active, Draining };

struct ReactorSnapshot {
  uint32_t slot = 0;
  ReactorState state = ReactorState::Empty;
  std::string backend;
  std::string features;  // "single_issuer,defer_taskrun,..."
  std::string host;      // "worker-0", "thread"
  uint64_t inflight = 0;
  uint64_t submissions = 0;
  uint64_t enters = 0;  // system calls that entered the ring or the epoll set
  uint64_t sq_full = 0;
  uint64_t cq_overflows = 0;
  uint64_t remote_ops = 0;       // arrived from other threads
  uint64_t bells = 0;            // wake-ups received through the bell
  uint64_t registered_ops = 0;   // reads and writes by the ring's registered buffers
  uint32_t ring_entries = 0;     // of the submission queue; 0: no ring
  uint64_t rings_resized = 0;    // in place
  uint64_t rings_replaced = 0;   // by a new one
  uint32_t rings_draining = 0;   // replaced, with something still in flight
  uint32_t receive_buffers = 0;  // that the kernel picks from; 0: none were needed so far
  // Why there are none although receives wanted some; "": nothing is wrong.
  std::string receive_buffers_reason;
  // Whether the ring has them: "yes", why not ("ResourceExhausted ... ENOMEM"), or "" while no
  // buffer of lease_registered() has come by.
  std::string registered_buffers;
};

// Why operations went to the blocking pool, and how many did.
struct BlockingReason {
  std::string reason;
  uint64_t operations = 0;
};

// Sends that leave the memory to the kernel until it is sent (TcpStream::write_zero_copy).
struct ZeroCopySnapshot {
  uint64_t sends = 0;      // done so
  uint64_t bytes = 0;      // by them
  uint64_t copied = 0;     // of those, where the kernel had to copy all the same (loopback does)
  uint64_t plain = 0;      // done as usual: too small, or while it does not pay
  uint64_t refused = 0;    // of those, where the kernel could not
  std::string off_reason;  // why it is not used now; empty: it is
};

struct IoSnapshot {
  uint32_t reactors_desired = 0;
  std::string backend;          // in use
  std::string fallback_reason;  // why epoll, when io_uring was wanted: "EPERM: io_uring_setup ..."
  std::vector<ReactorSnapshot> reactors;  // every slot that was ever used
  std::vector<IoOpSnapshot> ops;
  // Times an accept had to wait for descriptors or memory, and the last reason.
  uint64_t accept_pauses = 0;
  std::string accept_pause_reason;
  ZeroCopySnapshot zero_copy;
  uint64_t file_ops_blocking = 0;                // file operations that went to the blocking pool
  std::vector<BlockingReason> blocking_reasons;  // the same, one entry for each reason
};

struct RuntimeSnapshot {
  int64_t taken_ns = 0;
  SchedulerSnapshot scheduler;
  std::vector<PoolSnapshot> pools;
  MemorySnapshot memory;
  IoSnapshot io;
};

}  // namespace zokio
