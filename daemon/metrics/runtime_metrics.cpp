// SPDX-License-Identifier: Apache-2.0
// Scheduler, pools, reactors and I/O, from one RuntimeSnapshot.
//
// Worker and reactor labels are slot numbers. A retired slot stays in the snapshot with its
// counters, so a resize never looks like a counter reset. Histograms carry no slot.

#include <algorithm>

#include "metrics/collect.h"

namespace zokiod::metrics {
namespace {

using zokio::PoolSnapshot;
using zokio::ReactorSnapshot;
using zokio::ReactorState;
using zokio::SchedulerSnapshot;
using zokio::WorkerSnapshot;
using zokio::WorkerState;

template <class F>
uint64_t sum_of(const SchedulerSnapshot& s, F figure) {
  uint64_t total = 0;
  for (const WorkerSnapshot& w : s.workers) total += figure(w);
  return total;
}

std::string slot(uint32_t number) {
  return std::to_string(number);
}

void collect_worker_states(Families& out, const SchedulerSnapshot& s) {
  const auto in_state = [&s](WorkerState state) {
    return sum_of(s, [state](const WorkerSnapshot& w) -> uint64_t { return w.state == state; });
  };
  out.gauge("zokio_scheduler_workers", "Worker threads by what they do now.")
      .add(in_state(WorkerState::Running), {{"state", "running"}})
      .add(in_state(WorkerState::Parked), {{"state", "parked"}})
      .add(in_state(WorkerState::Retiring), {{"state", "retiring"}})
      .add(uint64_t{s.kept_threads}, {{"state", "kept"}});
  out.gauge("zokio_scheduler_workers_desired", "Worker threads asked for.")
      .add(uint64_t{s.workers_desired});
  out.gauge("zokio_scheduler_workers_extra", "Workers that stand in for stuck ones now.")
      .add(uint64_t{s.workers_extra});
  out.gauge("zokio_scheduler_cpu_quota_cores",
            "Processors that the cgroup pays for; 0: no quota, or it is not followed.")
      .add(s.cpu_quota);
}

void collect_stalls(Families& out, const SchedulerSnapshot& s) {
  out.counter("zokio_scheduler_stalls_total",
              "Times a worker stayed in one resumption for too long.")
      .add(s.stalls);
  out.gauge("zokio_scheduler_stall_longest_seconds", "The longest of them since the start.")
      .add_ns(s.stall_longest_ns);
}

// One series for each slot ever used.
void collect_workers(Families& out, const Figures& figures) {
  const SchedulerSnapshot& s = figures.runtime.scheduler;
  out.counter("zokio_scheduler_worker_busy_seconds_total", "Time a worker was not parked.");
  for (const WorkerSnapshot& w : s.workers) out.add_ns(w.busy_ns, {{"worker", slot(w.slot)}});
  out.counter("zokio_scheduler_worker_parks_total", "Times a worker went to sleep.");
  for (const WorkerSnapshot& w : s.workers) out.add(w.parks, {{"worker", slot(w.slot)}});
  out.counter("zokio_scheduler_worker_noop_wakeups_total", "Wake-ups that found nothing to do.");
  for (const WorkerSnapshot& w : s.workers) out.add(w.noop_wakeups, {{"worker", slot(w.slot)}});
  out.gauge("zokio_scheduler_worker_queue_depth", "Tasks ready in a worker's own queue.");
  for (const WorkerSnapshot& w : s.workers) out.add(w.queue_depth, {{"worker", slot(w.slot)}});
  out.counter("zokio_scheduler_polls_total", "Resumptions of tasks.");
  for (const WorkerSnapshot& w : s.workers) out.add(w.polls, {{"worker", slot(w.slot)}});
  out.gauge("zokio_scheduler_worker_heartbeat_timestamp_seconds",
            "When a live worker last passed through its loop (unix time).");
  for (const WorkerSnapshot& w : s.workers) {
    if (w.state == WorkerState::Empty) continue;  // a retired slot has no heart
    const double age = static_cast<double>(figures.runtime.taken_ns - w.heartbeat_ns) / 1e9;
    out.add(static_cast<double>(figures.unix_ms) / 1e3 - age, {{"worker", slot(w.slot)}});
  }
}

void collect_tasks(Families& out, const SchedulerSnapshot& s) {
  out.gauge("zokio_scheduler_queue_depth", "What waits in each queue of the scheduler.")
      .add(s.injector_depth, {{"queue", "injector"}})
      .add(sum_of(s, [](const WorkerSnapshot& w) { return w.queue_depth; }), {{"queue", "local"}})
      .add(s.blocking_depth, {{"queue", "blocking"}})
      .add(s.timers_pending, {{"queue", "timer"}});
  out.counter("zokio_scheduler_tasks_spawned_total", "Tasks started.").add(s.tasks_spawned);
  out.counter("zokio_scheduler_tasks_finished_total", "Tasks that ended, by how.")
      .add(s.tasks_finished_ok, {{"outcome", "ok"}})
      .add(s.tasks_finished_error, {{"outcome", "error"}})
      .add(s.tasks_finished_cancelled, {{"outcome", "cancelled"}});
  out.gauge("zokio_scheduler_tasks_alive", "Tasks started and not ended.").add(s.tasks_alive);
  out.gauge("zokio_timer_pending", "Timers armed.").add(s.timers_pending);
  out.gauge("zokio_blocking_threads", "Threads for blocking calls.")
      .add(s.blocking_busy, {{"state", "busy"}})
      .add(s.blocking_threads - std::min(s.blocking_busy, s.blocking_threads), {{"state", "idle"}});
}

void collect_stealing(Families& out, const SchedulerSnapshot& s) {
  const auto total = [&s](auto figure) {
    return sum_of(s, [figure](const WorkerSnapshot& w) { return w.*figure; });
  };
  out.counter("zokio_scheduler_steal_attempts_total", "Looks into another worker's queue.")
      .add(total(&WorkerSnapshot::steal_hits), {{"result", "hit"}})
      .add(total(&WorkerSnapshot::steal_empty), {{"result", "empty"}})
      .add(total(&WorkerSnapshot::steal_contended), {{"result", "contended"}});
  out.counter("zokio_scheduler_stolen_tasks_total", "Tasks taken from another worker's queue.")
      .add(total(&WorkerSnapshot::stolen_tasks));
  out.counter("zokio_scheduler_local_overflows_total",
              "Times a full local queue spilled into the injector.")
      .add(total(&WorkerSnapshot::local_overflows));
  out.counter("zokio_scheduler_schedules_total", "Tasks made ready, by who did it.")
      .add(total(&WorkerSnapshot::scheduled_local), {{"origin", "local"}})
      .add(s.scheduled_remote, {{"origin", "remote"}})
      .add(total(&WorkerSnapshot::scheduled_io), {{"origin", "io"}})
      .add(total(&WorkerSnapshot::scheduled_timer), {{"origin", "timer"}});
  out.histogram("zokio_scheduler_delay_seconds", "From ready to running.", scheduler_buckets())
      .add(s.delay_ns);
  out.histogram("zokio_scheduler_poll_duration_seconds", "One resumption of a task.",
                scheduler_buckets())
      .add(s.poll_ns);
}

void collect_pool_requests(Families& out, const std::vector<PoolSnapshot>& pools) {
  out.counter("zokio_pool_requests_total", "Allocations, by the tier that served them.");
  for (const PoolSnapshot& p : pools) {
    out.add(p.hits_thread, {{"pool", p.name}, {"tier", "thread"}})
        .add(p.hits_shared, {{"pool", p.name}, {"tier", "shared"}})
        .add(p.misses_os, {{"pool", p.name}, {"tier", "os"}});
  }
  out.counter("zokio_pool_frees_total", "Blocks given back to the pool.");
  for (const PoolSnapshot& p : pools) out.add(p.frees, {{"pool", p.name}});
  out.counter("zokio_pool_refill_bytes_total", "Bytes taken from the operating system.");
  for (const PoolSnapshot& p : pools) out.add(p.refill_bytes, {{"pool", p.name}});
  out.counter("zokio_pool_released_bytes_total", "Bytes given back to the operating system.");
  for (const PoolSnapshot& p : pools) out.add(p.released_bytes, {{"pool", p.name}});
  out.counter("zokio_pool_failures_total", "Allocations refused.");
  for (const PoolSnapshot& p : pools) {
    out.add(p.failures_limit, {{"pool", p.name}, {"reason", "limit"}})
        .add(p.failures_os, {{"pool", p.name}, {"reason", "os"}});
  }
}

void collect_pool_lists(Families& out, const std::vector<PoolSnapshot>& pools) {
  out.counter("zokio_pool_lots_total", "Lots of blocks between thread caches and central lists.");
  for (const PoolSnapshot& p : pools) {
    out.add(p.refills, {{"pool", p.name}, {"direction", "refill"}})
        .add(p.flushes, {{"pool", p.name}, {"direction", "flush"}});
  }
  const auto each = [&](auto figure) {
    for (const PoolSnapshot& p : pools) out.add(p.*figure, {{"pool", p.name}});
  };
  out.counter("zokio_pool_remote_frees_total",
              "Blocks freed by threads that took fewer, at least.");
  each(&PoolSnapshot::remote_frees);
  out.counter("zokio_pool_central_locks_total", "Times the lock of a central list was taken.");
  each(&PoolSnapshot::central_locks);
  out.counter("zokio_pool_central_contended_total", "Times it was not free at the first try.");
  each(&PoolSnapshot::central_contended);
}

void collect_pool_ratios(Families& out, const std::vector<PoolSnapshot>& pools) {
  const auto each = [&](auto figure) {
    for (const PoolSnapshot& p : pools) out.add((p.*figure)(), {{"pool", p.name}});
  };
  out.gauge("zokio_pool_fragmentation_ratio",
            "Committed, but neither in use nor free by policy, over committed.");
  each(&PoolSnapshot::fragmentation);
  out.gauge("zokio_pool_utilisation_ratio", "Requested bytes over committed bytes.");
  each(&PoolSnapshot::utilisation);
  out.histogram("zokio_pool_allocation_seconds", "An allocation, by samples of hits and of misses.",
                allocation_buckets());
  for (const PoolSnapshot& p : pools) {
    out.add(p.hit_ns, {{"pool", p.name}, {"path", "hit"}})
        .add(p.miss_ns, {{"pool", p.name}, {"path", "miss"}});
  }
}

void collect_pool_levels(Families& out, const std::vector<PoolSnapshot>& pools) {
  out.gauge("zokio_pool_bytes", "Memory of a pool by state.");
  for (const PoolSnapshot& p : pools) {
    out.add(p.in_use_bytes, {{"pool", p.name}, {"state", "in_use"}})
        .add(p.cached_bytes, {{"pool", p.name}, {"state", "cached"}});
  }
  out.gauge("zokio_pool_committed_bytes", "Whole pages with blocks, and large objects.");
  for (const PoolSnapshot& p : pools) out.add(p.committed_bytes, {{"pool", p.name}});
  out.gauge("zokio_pool_stranded_bytes", "Free bytes that cannot go back to the system.");
  for (const PoolSnapshot& p : pools) out.add(p.stranded_bytes, {{"pool", p.name}});
  out.gauge("zokio_pool_requested_bytes", "Of the bytes in use, what was asked for: an estimate.");
  for (const PoolSnapshot& p : pools) out.add(p.requested_bytes, {{"pool", p.name}});
  out.gauge("zokio_pool_limit_bytes", "Limit of a pool; 0 is no limit.");
  for (const PoolSnapshot& p : pools) out.add(p.limit_bytes, {{"pool", p.name}});
  out.gauge("zokio_pool_objects_in_use", "Blocks handed out and not given back.");
  for (const PoolSnapshot& p : pools) out.add(p.objects_in_use, {{"pool", p.name}});
  out.gauge("zokio_pool_high_water_bytes", "Most bytes that were ever in use.");
  for (const PoolSnapshot& p : pools) out.add(p.high_water_bytes, {{"pool", p.name}});
}

void collect_pool_limits(Families& out, const std::vector<PoolSnapshot>& pools) {
  out.gauge("zokio_pool_shrinking_bytes", "Bytes above the limit, which go as blocks are freed.");
  for (const PoolSnapshot& p : pools) out.add(p.residual_bytes, {{"pool", p.name}});
  out.gauge("zokio_pool_state", "Where the pool stands with its limit: 1 for its state.");
  for (const PoolSnapshot& p : pools) {
    const auto is = [&p](zokio::PoolState state) { return uint64_t{p.state == state}; };
    out.add(is(zokio::PoolState::Active), {{"pool", p.name}, {"state", "active"}})
        .add(is(zokio::PoolState::Shrinking), {{"pool", p.name}, {"state", "shrinking"}})
        .add(is(zokio::PoolState::AtTarget), {{"pool", p.name}, {"state", "at_target"}});
  }
  out.counter("zokio_pool_decayed_bytes_total", "Bytes given back because nobody needed them.");
  for (const PoolSnapshot& p : pools) out.add(p.decayed_bytes, {{"pool", p.name}});
  out.counter("zokio_pool_overflows_total", "Allocations served above the limit.");
  for (const PoolSnapshot& p : pools) out.add(p.overflows, {{"pool", p.name}});
  out.counter("zokio_pool_waits_total", "Leases that waited for room.");
  for (const PoolSnapshot& p : pools) out.add(p.waits, {{"pool", p.name}});
  out.counter("zokio_pool_wait_seconds_total", "How long they waited, together.");
  for (const PoolSnapshot& p : pools) out.add_ns(p.wait_ns, {{"pool", p.name}});
  out.gauge("zokio_pool_huge_bytes", "Memory for which the kernel was asked for huge pages.");
  for (const PoolSnapshot& p : pools) out.add(p.huge_bytes, {{"pool", p.name}});
}

void collect_memory(Families& out, const zokio::MemorySnapshot& memory) {
  out.gauge("zokio_memory_limit_bytes", "Limit of all pools together; 0 is no limit.")
      .add(memory.limit_bytes);
  out.gauge("zokio_memory_pressure", "1 while the system is short of memory and caches are small.")
      .add(uint64_t{memory.pressure});
  out.counter("zokio_memory_pressure_trims_total", "Trims in answer to that.")
      .add(memory.pressure_trims);
  out.counter("zokio_memory_pressure_released_bytes_total", "What they gave back.")
      .add(memory.pressure_released_bytes);
  out.gauge("zokio_cgroup_memory_limit_bytes",
            "The least limit of the cgroup; 0: none, or it is not followed.")
      .add(memory.cgroup_limit_bytes);
  out.gauge("zokio_cgroup_memory_used_bytes", "Used of it, without files that can be dropped.")
      .add(memory.cgroup_used_bytes);
}

// The part of a fallback's reason that names it: the whole text, which is one for a process.
void collect_backend(Families& out, const zokio::IoSnapshot& io) {
  const auto active = [&io](std::string_view backend) {
    uint64_t count = 0;
    for (const ReactorSnapshot& r : io.reactors) {
      count += r.state != ReactorState::Empty && r.backend == backend;
    }
    return count;
  };
  out.gauge("zokio_reactors", "Reactors in use by backend.")
      .add(active("io_uring"), {{"backend", "io_uring"}})
      .add(active("epoll"), {{"backend", "epoll"}});
  out.gauge("zokio_reactors_desired", "Reactors asked for.").add(uint64_t{io.reactors_desired});
  out.gauge("zokio_reactor_info", "Always 1: what a reactor in use is.");
  for (const ReactorSnapshot& r : io.reactors) {
    if (r.state == ReactorState::Empty) continue;
    out.add(uint64_t{1},
            {{"reactor", slot(r.slot)}, {"backend", r.backend}, {"features", r.features}});
  }
  const bool fell_back = !io.fallback_reason.empty();
  out.counter("zokio_reactor_fallbacks_total", "Times another backend was taken than the wanted.")
      .add(uint64_t{fell_back}, {{"from", "io_uring"},
                                 {"to", "epoll"},
                                 {"reason", fell_back ? io.fallback_reason : "none"}});
}

void collect_reactors(Families& out, const zokio::IoSnapshot& io) {
  const auto each = [&](auto figure) {
    for (const ReactorSnapshot& r : io.reactors)
      out.add(uint64_t{r.*figure}, {{"reactor", slot(r.slot)}});
  };
  out.gauge("zokio_reactor_inflight", "Operations submitted and not completed.");
  each(&ReactorSnapshot::inflight);
  out.counter("zokio_reactor_submissions_total", "Operations submitted.");
  each(&ReactorSnapshot::submissions);
  out.counter("zokio_reactor_sq_full_total", "Submissions that found the ring full.");
  each(&ReactorSnapshot::sq_full);
  out.counter("zokio_reactor_cq_overflows_total", "Completions the kernel had to keep aside.");
  each(&ReactorSnapshot::cq_overflows);
  out.counter("zokio_reactor_remote_operations_total", "Operations that came from other threads.");
  each(&ReactorSnapshot::remote_ops);
  out.counter("zokio_reactor_bells_total", "Wake-ups by another thread.");
  each(&ReactorSnapshot::bells);
  out.gauge("zokio_reactor_ring_entries", "Of its submission queue; 0: no ring.");
  each(&ReactorSnapshot::ring_entries);
  out.gauge("zokio_reactor_rings_draining", "Replaced rings with something still in flight.");
  each(&ReactorSnapshot::rings_draining);
  out.gauge("zokio_reactor_receive_buffers", "Buffers that receives pick from.");
  each(&ReactorSnapshot::receive_buffers);
  out.counter("zokio_reactor_ring_resizes_total", "Changes of a ring's size, by how.");
  for (const ReactorSnapshot& r : io.reactors) {
    out.add(r.rings_resized, {{"reactor", slot(r.slot)}, {"way", "in_place"}});
    out.add(r.rings_replaced, {{"reactor", slot(r.slot)}, {"way", "replaced"}});
  }
  out.counter("zokio_reactor_syscalls_total", "System calls that entered the ring or epoll set.");
  for (const ReactorSnapshot& r : io.reactors) {
    const char* call = r.backend == "epoll" ? "epoll_wait" : "io_uring_enter";
    out.add(r.enters, {{"reactor", slot(r.slot)}, {"call", call}});
  }
}

void collect_operations(Families& out, const zokio::IoSnapshot& io) {
  out.counter("zokio_io_operations_total", "I/O operations that ended, by how.");
  for (const zokio::IoOpSnapshot& op : io.ops) {
    const auto labels = [&op](const char* result) {
      return Labels{{"op", op.op}, {"backend", op.backend}, {"result", result}};
    };
    out.add(op.ok, labels("ok")).add(op.error, labels("error"));
    out.add(op.cancelled, labels("cancelled"));
  }
  out.counter("zokio_io_bytes_total", "Bytes moved by I/O operations.");
  for (const zokio::IoOpSnapshot& op : io.ops) {
    out.add(op.bytes, {{"op", op.op}, {"backend", op.backend}});
  }
  out.histogram("zokio_io_duration_seconds", "From submission to completion of an I/O operation.",
                io_buckets());
  for (const zokio::IoOpSnapshot& op : io.ops) {
    out.add(op.duration_ns, {{"op", op.op}, {"backend", op.backend}});
  }
  out.counter("zokio_io_blocking_operations_total",
              "File operations that ran on a thread for blocking calls.")
      .add(io.file_ops_blocking);
}

}  // namespace

void collect_scheduler(Families& out, const Figures& figures) {
  collect_worker_states(out, figures.runtime.scheduler);
  collect_workers(out, figures);
  collect_tasks(out, figures.runtime.scheduler);
  collect_stealing(out, figures.runtime.scheduler);
  collect_stalls(out, figures.runtime.scheduler);
}

void collect_pools(Families& out, const Figures& figures) {
  collect_pool_requests(out, figures.runtime.pools);
  collect_pool_levels(out, figures.runtime.pools);
  collect_pool_lists(out, figures.runtime.pools);
  collect_pool_ratios(out, figures.runtime.pools);
  collect_pool_limits(out, figures.runtime.pools);
  collect_memory(out, figures.runtime.memory);
  // What the process holds in anonymous memory and no pool explains: code that allocates elsewhere,
  // thread stacks, and every leak.
  double known = 0;
  for (const PoolSnapshot& p : figures.runtime.pools) {
    known += static_cast<double>(p.in_use_bytes + p.cached_bytes);
  }
  out.gauge("zokio_pool_unaccounted_bytes", "Anonymous resident memory minus the pools' memory.")
      .add(static_cast<double>(figures.process.rss_anon_bytes) - known);
}

void collect_io(Families& out, const Figures& figures) {
  collect_backend(out, figures.runtime.io);
  collect_reactors(out, figures.runtime.io);
  collect_operations(out, figures.runtime.io);
}

}  // namespace zokiod::metrics
