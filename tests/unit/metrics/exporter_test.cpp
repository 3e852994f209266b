// SPDX-License-Identifier: Apache-2.0
// The exposition against its sources: each figure that changes moves its metric, and only its own.

#include <gmock/gmock.h>

#include <functional>
#include <set>

#include "figures_fixture.h"

namespace zokiod::metrics {
namespace {

using test::histogram_of;
using test::samples;
using test::zero_figures;
using testing::UnorderedElementsAre;

// Names of the samples that differ between two states.
std::set<std::string> moved(const std::function<void(Figures&)>& change) {
  Figures figures = zero_figures();
  const auto before = samples(figures);
  change(figures);
  const auto after = samples(figures);
  std::set<std::string> names;
  for (const auto& [name, value] : after) {
    const auto it = before.find(name);
    if (it == before.end() || it->second != value) names.insert(name);
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) names.insert(name);
  }
  return names;
}

struct Move {
  std::function<void(Figures&)> change;
  std::set<std::string> metrics;
};

#define MOVE(expression, ...)         \
  {                                   \
    [](Figures& f) { expression; }, { \
      __VA_ARGS__                     \
    }                                 \
  }

const std::vector<Move>& scheduler_moves() {
  static const std::vector<Move> moves = {
      MOVE(f.runtime.scheduler.workers_desired = 3, "zokio_scheduler_workers_desired{}"),
      MOVE(f.runtime.scheduler.workers[1].state = zokio::WorkerState::Parked,
           "zokio_scheduler_workers{state=\"running\"}",
           "zokio_scheduler_workers{state=\"parked\"}"),
      MOVE(f.runtime.scheduler.workers[1].state = zokio::WorkerState::Retiring,
           "zokio_scheduler_workers{state=\"running\"}",
           "zokio_scheduler_workers{state=\"retiring\"}"),
      MOVE(f.runtime.scheduler.kept_threads = 7, "zokio_scheduler_workers{state=\"kept\"}"),
      MOVE(f.runtime.scheduler.workers[1].queue_depth = 7,
           "zokio_scheduler_worker_queue_depth{worker=\"1\"}",
           "zokio_scheduler_queue_depth{queue=\"local\"}"),
      MOVE(f.runtime.scheduler.workers[0].polls = 7, "zokio_scheduler_polls_total{worker=\"0\"}"),
      MOVE(f.runtime.scheduler.workers[0].parks = 7,
           "zokio_scheduler_worker_parks_total{worker=\"0\"}"),
      MOVE(f.runtime.scheduler.workers[0].noop_wakeups = 7,
           "zokio_scheduler_worker_noop_wakeups_total{worker=\"0\"}"),
      MOVE(f.runtime.scheduler.workers[0].busy_ns = 7,
           "zokio_scheduler_worker_busy_seconds_total{worker=\"0\"}"),
      MOVE(f.runtime.scheduler.workers[0].heartbeat_ns -= 7'000'000'000,
           "zokio_scheduler_worker_heartbeat_timestamp_seconds{worker=\"0\"}"),
      MOVE(f.runtime.scheduler.workers[0].steal_hits = 7,
           "zokio_scheduler_steal_attempts_total{result=\"hit\"}"),
      MOVE(f.runtime.scheduler.workers[0].steal_empty = 7,
           "zokio_scheduler_steal_attempts_total{result=\"empty\"}"),
      MOVE(f.runtime.scheduler.workers[0].steal_contended = 7,
           "zokio_scheduler_steal_attempts_total{result=\"contended\"}"),
      MOVE(f.runtime.scheduler.workers[0].stolen_tasks = 7, "zokio_scheduler_stolen_tasks_total{}"),
      MOVE(f.runtime.scheduler.workers[0].local_overflows = 7,
           "zokio_scheduler_local_overflows_total{}"),
      MOVE(f.runtime.scheduler.workers[0].scheduled_local = 7,
           "zokio_scheduler_schedules_total{origin=\"local\"}"),
      MOVE(f.runtime.scheduler.scheduled_remote = 7,
           "zokio_scheduler_schedules_total{origin=\"remote\"}"),
      MOVE(f.runtime.scheduler.workers[0].scheduled_io = 7,
           "zokio_scheduler_schedules_total{origin=\"io\"}"),
      MOVE(f.runtime.scheduler.workers[0].scheduled_timer = 7,
           "zokio_scheduler_schedules_total{origin=\"timer\"}"),
      MOVE(f.runtime.scheduler.injector_depth = 7,
           "zokio_scheduler_queue_depth{queue=\"injector\"}"),
      MOVE(f.runtime.scheduler.blocking_depth = 7,
           "zokio_scheduler_queue_depth{queue=\"blocking\"}"),
      MOVE(f.runtime.scheduler.blocking_threads = 7, "zokio_blocking_threads{state=\"idle\"}"),
      MOVE(f.runtime.scheduler.blocking_busy = 7, "zokio_blocking_threads{state=\"busy\"}"),
      MOVE(f.runtime.scheduler.timers_pending = 7, "zokio_timer_pending{}",
           "zokio_scheduler_queue_depth{queue=\"timer\"}"),
      MOVE(f.runtime.scheduler.tasks_spawned = 7, "zokio_scheduler_tasks_spawned_total{}"),
      MOVE(f.runtime.scheduler.tasks_finished_ok = 7,
           "zokio_scheduler_tasks_finished_total{outcome=\"ok\"}"),
      MOVE(f.runtime.scheduler.tasks_finished_error = 7,
           "zokio_scheduler_tasks_finished_total{outcome=\"error\"}"),
      MOVE(f.runtime.scheduler.tasks_finished_cancelled = 7,
           "zokio_scheduler_tasks_finished_total{outcome=\"cancelled\"}"),
      MOVE(f.runtime.scheduler.tasks_alive = 7, "zokio_scheduler_tasks_alive{}"),
      MOVE(f.runtime.scheduler.stalls = 7, "zokio_scheduler_stalls_total{}"),
      MOVE(f.runtime.scheduler.stall_longest_ns = 7, "zokio_scheduler_stall_longest_seconds{}"),
      MOVE(f.runtime.scheduler.workers_extra = 7, "zokio_scheduler_workers_extra{}"),
      MOVE(f.runtime.scheduler.cpu_quota = 1.5, "zokio_scheduler_cpu_quota_cores{}"),
      MOVE(f.runtime.scheduler.delay_ns = histogram_of({1000}),
           "zokio_scheduler_delay_seconds{} count", "zokio_scheduler_delay_seconds{} sum"),
      MOVE(f.runtime.scheduler.poll_ns = histogram_of({1000}),
           "zokio_scheduler_poll_duration_seconds{} count",
           "zokio_scheduler_poll_duration_seconds{} sum"),
  };
  return moves;
}

const std::vector<Move>& pool_moves() {
  static const std::vector<Move> moves = {
    MOVE(f.runtime.pools[0].limit_bytes = 7, "zokio_pool_limit_bytes{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].in_use_bytes = 7, "zokio_pool_bytes{pool=\"buffers\",state=\"in_use\"}",
         "zokio_pool_unaccounted_bytes{}"),
    MOVE(f.runtime.pools[0].cached_bytes = 7, "zokio_pool_bytes{pool=\"buffers\",state=\"cached\"}",
         "zokio_pool_unaccounted_bytes{}"),
    MOVE(f.runtime.pools[0].high_water_bytes = 7, "zokio_pool_high_water_bytes{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].objects_in_use = 7, "zokio_pool_objects_in_use{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].hits_thread = 7,
         "zokio_pool_requests_total{pool=\"buffers\",tier=\"thread\"}"),
    MOVE(f.runtime.pools[0].hits_shared = 7,
         "zokio_pool_requests_total{pool=\"buffers\",tier=\"shared\"}"),
    MOVE(f.runtime.pools[0].misses_os = 7,
         "zokio_pool_requests_total{pool=\"buffers\",tier=\"os\"}"),
    MOVE(f.runtime.pools[0].frees = 7, "zokio_pool_frees_total{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].refill_bytes = 7, "zokio_pool_refill_bytes_total{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].released_bytes = 7,
         "zokio_pool_released_bytes_total{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].failures_limit = 7,
         "zokio_pool_failures_total{pool=\"buffers\",reason=\"limit\"}"),
    MOVE(f.runtime.pools[0].failures_os = 7,
         "zokio_pool_failures_total{pool=\"buffers\",reason=\"os\"}"),
    MOVE(f.runtime.pools[0].refills = 7,
         "zokio_pool_lots_total{pool=\"buffers\",direction=\"refill\"}"),
    MOVE(f.runtime.pools[0].flushes = 7,
         "zokio_pool_lots_total{pool=\"buffers\",direction=\"flush\"}"),
    MOVE(f.runtime.pools[0].remote_frees = 7, "zokio_pool_remote_frees_total{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].central_locks = 7, "zokio_pool_central_locks_total{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].central_contended = 7,
         "zokio_pool_central_contended_total{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].committed_bytes = 7, "zokio_pool_committed_bytes{pool=\"buffers\"}",
         "zokio_pool_fragmentation_ratio{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].stranded_bytes = 7, "zokio_pool_stranded_bytes{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].requested_bytes = 7, "zokio_pool_requested_bytes{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].committed_bytes = 7; f.runtime.pools[0].requested_bytes = 7,
                                                 "zokio_pool_committed_bytes{pool=\"buffers\"}",
                                                 "zokio_pool_requested_bytes{pool=\"buffers\"}",
                                                 "zokio_pool_fragmentation_ratio{pool=\"buffers\"}",
                                                 "zokio_pool_utilisation_ratio{pool=\"buffers\"}"),
    MOVE(f.runtime.pools[0].hit_ns = histogram_of({3}),
         "zokio_pool_allocation_seconds{pool=\"buffers\",path=\"hit\"} count",
         "zokio_pool_allocation_seconds{pool=\"buffers\",path=\"hit\"} sum"),
    MOVE(f.runtime.pools[0].miss_ns = histogram_of({300}),
         "zokio_pool_allocation_seconds{pool=\"buffers\",path=\"miss\"} count",
         "zokio_pool_allocation_seconds{pool=\"buffers\",path=\"miss\"} sum"),
  };
  return moves;
}

const std::vector<Move>& io_moves() {
  static const std::vector<Move> moves = {
      MOVE(f.runtime.pools[0].residual_bytes = 7, "zokio_pool_shrinking_bytes{pool=\"buffers\"}"),
      MOVE(f.runtime.pools[0].state = zokio::PoolState::Shrinking,
           "zokio_pool_state{pool=\"buffers\",state=\"active\"}",
           "zokio_pool_state{pool=\"buffers\",state=\"shrinking\"}"),
      MOVE(f.runtime.pools[0].state = zokio::PoolState::AtTarget,
           "zokio_pool_state{pool=\"buffers\",state=\"active\"}",
           "zokio_pool_state{pool=\"buffers\",state=\"at_target\"}"),
      MOVE(f.runtime.pools[0].decayed_bytes = 7,
           "zokio_pool_decayed_bytes_total{pool=\"buffers\"}"),
      MOVE(f.runtime.pools[0].overflows = 7, "zokio_pool_overflows_total{pool=\"buffers\"}"),
      MOVE(f.runtime.pools[0].waits = 7, "zokio_pool_waits_total{pool=\"buffers\"}"),
      MOVE(f.runtime.pools[0].wait_ns = 7, "zokio_pool_wait_seconds_total{pool=\"buffers\"}"),
      MOVE(f.runtime.pools[0].huge_bytes = 7, "zokio_pool_huge_bytes{pool=\"buffers\"}"),
      MOVE(f.runtime.memory.limit_bytes = 7, "zokio_memory_limit_bytes{}"),
      MOVE(f.runtime.memory.pressure = true, "zokio_memory_pressure{}"),
      MOVE(f.runtime.memory.pressure_trims = 7, "zokio_memory_pressure_trims_total{}"),
      MOVE(f.runtime.memory.pressure_released_bytes = 7,
           "zokio_memory_pressure_released_bytes_total{}"),
      MOVE(f.runtime.memory.cgroup_limit_bytes = 7, "zokio_cgroup_memory_limit_bytes{}"),
      MOVE(f.runtime.memory.cgroup_used_bytes = 7, "zokio_cgroup_memory_used_bytes{}"),
      MOVE(f.runtime.io.reactors_desired = 7, "zokio_reactors_desired{}"),
      MOVE(f.runtime.io.reactors[0].backend = "epoll", "zokio_reactors{backend=\"io_uring\"}",
           "zokio_reactors{backend=\"epoll\"}",
           "zokio_reactor_info{reactor=\"0\",backend=\"io_uring\",features=\"single_issuer\"}",
           "zokio_reactor_info{reactor=\"0\",backend=\"epoll\",features=\"single_issuer\"}",
           "zokio_reactor_syscalls_total{reactor=\"0\",call=\"io_uring_enter\"}",
           "zokio_reactor_syscalls_total{reactor=\"0\",call=\"epoll_wait\"}"),
      MOVE(f.runtime.io.fallback_reason = "EPERM: io_uring_setup",
           "zokio_reactor_fallbacks_total{from=\"io_uring\",to=\"epoll\",reason=\"none\"}",
           "zokio_reactor_fallbacks_total{from=\"io_uring\",to=\"epoll\",reason=\"EPERM: "
           "io_uring_setup\"}"),
      MOVE(f.runtime.io.reactors[0].inflight = 7, "zokio_reactor_inflight{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].submissions = 7,
           "zokio_reactor_submissions_total{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].enters = 7,
           "zokio_reactor_syscalls_total{reactor=\"0\",call=\"io_uring_enter\"}"),
      MOVE(f.runtime.io.reactors[0].sq_full = 7, "zokio_reactor_sq_full_total{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].cq_overflows = 7,
           "zokio_reactor_cq_overflows_total{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].remote_ops = 7,
           "zokio_reactor_remote_operations_total{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].bells = 7, "zokio_reactor_bells_total{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].ring_entries = 7, "zokio_reactor_ring_entries{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].rings_draining = 7,
           "zokio_reactor_rings_draining{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].receive_buffers = 7,
           "zokio_reactor_receive_buffers{reactor=\"0\"}"),
      MOVE(f.runtime.io.reactors[0].rings_resized = 7,
           "zokio_reactor_ring_resizes_total{reactor=\"0\",way=\"in_place\"}"),
      MOVE(f.runtime.io.reactors[0].rings_replaced = 7,
           "zokio_reactor_ring_resizes_total{reactor=\"0\",way=\"replaced\"}"),
      MOVE(f.runtime.io.ops[0].ok = 7,
           "zokio_io_operations_total{op=\"read\",backend=\"io_uring\",result=\"ok\"}"),
      MOVE(f.runtime.io.ops[0].error = 7,
           "zokio_io_operations_total{op=\"read\",backend=\"io_uring\",result=\"error\"}"),
      MOVE(f.runtime.io.ops[0].cancelled = 7,
           "zokio_io_operations_total{op=\"read\",backend=\"io_uring\",result=\"cancelled\"}"),
      MOVE(f.runtime.io.ops[0].bytes = 7, "zokio_io_bytes_total{op=\"read\",backend=\"io_uring\"}"),
      MOVE(f.runtime.io.ops[0].duration_ns = histogram_of({1000}),
           "zokio_io_duration_seconds{op=\"read\",backend=\"io_uring\"} count",
           "zokio_io_duration_seconds{op=\"read\",backend=\"io_uring\"} sum"),
      MOVE(f.runtime.io.file_ops_blocking = 7, "zokio_io_blocking_operations_total{}"),
  };
  return moves;
}

#define IN_STATE(state) f.jobs.kinds[0].states[static_cast<size_t>(model::JobState::state)] = 7
#define IN_QUEUE(state) f.jobs.queues[0].states[static_cast<size_t>(model::JobState::state)] = 7
#define ENDED(outcome) f.jobs.kinds[0].finished[static_cast<size_t>(model::Outcome::outcome)] = 7
#define Q "queue=\"default\""

const std::vector<Move>& job_moves() {
  static const std::vector<Move> moves = {
      MOVE(IN_QUEUE(Queued), "zokio_jobs{" Q ",state=\"queued\"}"),
      MOVE(IN_QUEUE(Running), "zokio_jobs{" Q ",state=\"running\"}"),
      MOVE(IN_QUEUE(Retrying), "zokio_jobs{" Q ",state=\"retrying\"}"),
      MOVE(IN_STATE(Succeeded), "zokio_jobs_retained{state=\"succeeded\"}"),
      MOVE(IN_STATE(Failed), "zokio_jobs_retained{state=\"failed\"}"),
      MOVE(IN_STATE(Cancelled), "zokio_jobs_retained{state=\"cancelled\"}"),
      MOVE(IN_STATE(TimedOut), "zokio_jobs_retained{state=\"timed_out\"}"),
      MOVE(ENDED(Succeeded),
           "zokio_jobs_finished_total{kind=\"exec\",outcome=\"succeeded\"}"),
      MOVE(ENDED(Failed), "zokio_jobs_finished_total{kind=\"exec\",outcome=\"failed\"}"),
      MOVE(ENDED(Cancelled),
           "zokio_jobs_finished_total{kind=\"exec\",outcome=\"cancelled\"}"),
      MOVE(ENDED(TimedOut), "zokio_jobs_finished_total{kind=\"exec\",outcome=\"timed_out\"}"),
      MOVE(ENDED(Interrupted),
           "zokio_jobs_finished_total{kind=\"exec\",outcome=\"interrupted\"}"),
      MOVE(f.jobs.kinds[0].accepted = 7,
           "zokio_jobs_submitted_total{kind=\"exec\",result=\"accepted\"}"),
      MOVE(f.jobs.kinds[0].duplicate = 7,
           "zokio_jobs_submitted_total{kind=\"exec\",result=\"duplicate\"}"),
      MOVE(f.jobs.kinds[0].rejected = 7,
           "zokio_jobs_submitted_total{kind=\"exec\",result=\"rejected\"}"),
      MOVE(f.jobs.rejected["QUEUE_FULL"] = 7,
           "zokio_jobs_rejected_total{reason=\"QUEUE_FULL\"}"),
      MOVE(f.jobs.kinds[0].attempts_first = 7,
           "zokio_job_attempts_total{kind=\"exec\",type=\"first\"}"),
      MOVE(f.jobs.kinds[0].attempts_retry = 7,
           "zokio_job_attempts_total{kind=\"exec\",type=\"retry\"}"),
      MOVE(f.jobs.kinds[0].attempts_recovery = 7,
           "zokio_job_attempts_total{kind=\"exec\",type=\"recovery\"}"),
      MOVE(f.jobs.kinds[0].verify_failures = 7, "zokio_job_verify_failures_total{kind=\"exec\"}"),
      MOVE(f.jobs.queues[0].queue_wait_ns = histogram_of({1000}),
           "zokio_job_queue_wait_seconds{" Q "} count", "zokio_job_queue_wait_seconds{" Q "} sum"),
      MOVE(f.jobs.kinds[0].run_ns = histogram_of({1000}),
           "zokio_job_duration_seconds{kind=\"exec\"} count",
           "zokio_job_duration_seconds{kind=\"exec\"} sum"),
      MOVE(f.jobs.queues[0].oldest_queued.unix_ns = 7'000'000'000,
           "zokio_queue_oldest_job_timestamp_seconds{" Q "}"),
      MOVE(f.jobs.queues[0].spec.size_limit = 7, "zokio_queue_limit_jobs{" Q "}"),
      MOVE(f.jobs.queues[0].spec.concurrency = 7, "zokio_queue_concurrency_limit{" Q "}"),
      MOVE(f.jobs.queues[0].started = 7, "zokio_queue_starts_total{" Q "}"),
      MOVE(f.jobs.queues[0].refused = 7, "zokio_queue_refused_total{" Q "}"),
      MOVE(f.jobs.queues[0].held_by = "paused", "zokio_queue_held{" Q ",by=\"paused\"}"),
      MOVE(f.jobs.queues[0].held_by = "rate", "zokio_queue_held{" Q ",by=\"rate\"}"),
      MOVE(f.jobs.queues[0].held_by = "concurrency", "zokio_queue_held{" Q ",by=\"concurrency\"}"),
      MOVE(f.jobs.queue_limit = 7, "zokio_jobs_limit{}"),
      MOVE(f.jobs.concurrency = 7, "zokio_jobs_concurrency_limit{}"),
      MOVE(f.jobs.lost = 7, "zokio_jobs_lost_total{}"),
      MOVE(f.jobs.duplicate_executions = 7, "zokio_jobs_duplicate_executions_total{}"),
      MOVE(f.jobs.output_dropped_bytes = 7, "zokio_job_output_dropped_bytes_total{}"),
      MOVE(f.jobs.subscribers = 7, "zokio_watch_streams{service=\"jobs\"}"),
      MOVE(f.jobs.subscribers_lagged = 7, "zokio_watch_cancelled_total{reason=\"lagged\"}"),
  };
  return moves;
}

const std::vector<Move>& journal_moves() {
  static const std::vector<Move> moves = {
      MOVE(f.jobs.journal.append_ns = histogram_of({1000}), "zokio_journal_append_seconds{} count",
           "zokio_journal_append_seconds{} sum"),
      MOVE(f.jobs.journal.fsync_ns = histogram_of({1000}), "zokio_journal_fsync_seconds{} count",
           "zokio_journal_fsync_seconds{} sum"),
      MOVE(f.jobs.journal.size_bytes = 7, "zokio_journal_bytes{}"),
      MOVE(f.jobs.journal.depth = 7, "zokio_journal_queue_depth{}"),
      MOVE(f.jobs.journal.healthy = false, "zokio_journal_healthy{}"),
      MOVE(f.jobs.journal.commits = 7, "zokio_journal_commits_total{}"),
      MOVE(f.jobs.journal.writes = 7, "zokio_journal_writes_total{}"),
      MOVE(f.jobs.journal.failures = 7, "zokio_journal_failures_total{}"),
      MOVE(f.jobs.journal.fenced = 7, "zokio_journal_fenced_total{}"),
      MOVE(f.jobs.recovery.queued = 7, "zokio_journal_recovered_jobs_total{result=\"queued\"}"),
      MOVE(f.jobs.recovery.interrupted = 7,
           "zokio_journal_recovered_jobs_total{result=\"interrupted\"}"),
      MOVE(f.jobs.recovery.retrying = 7, "zokio_journal_recovered_jobs_total{result=\"retrying\"}"),
      MOVE(f.jobs.recovery.finished = 7, "zokio_journal_recovered_jobs_total{result=\"finished\"}"),
  };
  return moves;
}

const std::vector<Move>& process_moves() {
  static const std::vector<Move> moves = {
      MOVE(f.process.rss_anon_bytes = 7, "zokio_process_memory_bytes{type=\"rss_anon\"}",
           "process_resident_memory_bytes{}", "zokio_pool_unaccounted_bytes{}"),
      MOVE(f.process.rss_file_bytes = 7, "zokio_process_memory_bytes{type=\"rss_file\"}",
           "process_resident_memory_bytes{}"),
      MOVE(f.process.rss_shmem_bytes = 7, "zokio_process_memory_bytes{type=\"rss_shmem\"}",
           "process_resident_memory_bytes{}"),
      MOVE(f.process.swap_bytes = 7, "zokio_process_memory_bytes{type=\"swap\"}"),
      MOVE(f.process.virtual_bytes = 7, "process_virtual_memory_bytes{}"),
      MOVE(f.process.open_fds = 7, "process_open_fds{}"),
      MOVE(f.process.max_fds = 7, "process_max_fds{}"),
      MOVE(f.process.threads = 7, "process_threads{}"),
      MOVE(f.process.cpu_user_seconds = 7, "process_cpu_seconds_total{}"),
      MOVE(f.process.cpu_system_seconds = 7, "process_cpu_seconds_total{}"),
      MOVE(f.process.context_switches_voluntary = 7,
           "zokio_process_context_switches_total{type=\"voluntary\"}"),
      MOVE(f.process.context_switches_involuntary = 7,
           "zokio_process_context_switches_total{type=\"involuntary\"}"),
      MOVE(f.process.page_faults_minor = 7, "zokio_process_page_faults_total{type=\"minor\"}"),
      MOVE(f.process.page_faults_major = 7, "zokio_process_page_faults_total{type=\"major\"}"),
      MOVE(f.process.start_time_unix_seconds = 7, "process_start_time_seconds{}"),
  };
  return moves;
}

#define RPC "grpc_service=\"zokio.v1.JobService\",grpc_method=\"GetJob\""

const std::vector<Move>& rpc_moves() {
  static const std::vector<Move> moves = {
      MOVE(f.server.rpc.methods[0].handled[0].second = 7,
           "grpc_server_handled_total{" RPC ",grpc_code=\"OK\"}"),
      MOVE(f.server.rpc.methods[0].handled[1].second = 7,
           "grpc_server_handled_total{" RPC ",grpc_code=\"NOT_FOUND\"}"),
      MOVE(f.server.rpc.methods[0].handling_ns = histogram_of({1000}),
           "grpc_server_handling_seconds{" RPC "} count",
           "grpc_server_handling_seconds{" RPC "} sum"),
      MOVE(f.server.rpc.calls_active = 7, "zokio_rpc_calls_active{}"),
      MOVE(f.server.rpc.connections_accepted = 7,
           "zokio_rpc_connections_total{result=\"accepted\"}"),
      MOVE(f.server.rpc.connections_refused = 7, "zokio_rpc_connections_total{result=\"refused\"}"),
      MOVE(f.server.rpc.denied = 7, "zokio_auth_denied_total{reason=\"peer\"}"),
  };
  return moves;
}

const std::vector<Move>& server_moves() {
  static const std::vector<Move> moves = {
      MOVE(f.server.state = ServerState::Draining, "zokio_server_state{state=\"starting\"}",
           "zokio_server_state{state=\"draining\"}"),
      MOVE(f.server.config_generation = 7, "zokio_config_generation{}"),
      MOVE(f.server.last_reload_ok = false, "zokio_config_last_reload_successful{}"),
      MOVE(f.server.last_reload_unix_ms = 7,
           "zokio_config_last_reload_success_timestamp_seconds{}"),
      MOVE(f.server.resizes[0].up_ok = 7,
           "zokio_resize_operations_total{component=\"workers\",direction=\"up\",result=\"ok\"}"),
      MOVE(f.server.resizes[0].up_failed = 7,
           "zokio_resize_operations_total{component=\"workers\",direction=\"up\",result="
           "\"failed\"}"),
      MOVE(f.server.resizes[0].down_ok = 7,
           "zokio_resize_operations_total{component=\"workers\",direction=\"down\",result=\"ok\"}"),
      MOVE(f.server.resizes[0].down_failed = 7,
           "zokio_resize_operations_total{component=\"workers\",direction=\"down\",result="
           "\"failed\"}"),
      MOVE(f.server.resizes[0].last_unix_ms = 7,
           "zokio_config_last_change_timestamp_seconds{component=\"workers\"}"),
      MOVE(f.soak.running = true, "zokio_soak_running{}"),
      MOVE(f.soak.start_unix_ms = 7, "zokio_soak_start_timestamp_seconds{}"),
      MOVE(f.soak.checks[0].judged = true,
           "zokio_soak_check_state{check=\"jobs-lost\",state=\"inconclusive\"}"),
      MOVE((f.soak.checks[0].judged = true, f.soak.checks[0].state = soak::CheckState::Fail),
           "zokio_soak_check_state{check=\"jobs-lost\",state=\"fail\"}"),
      MOVE(f.soak.slopes[0].per_second = 7, "zokio_soak_slope_per_second{resource=\"rss\"}"),
      MOVE(f.soak.leak_faults = 7, "zokio_soak_faults_injected_total{fault=\"leak\"}"),
      MOVE(f.soak.dropped_jobs = 7, "zokio_soak_faults_injected_total{fault=\"drop-job\"}"),
      MOVE(f.soak.resizes = 7, "zokio_soak_resizes_total{}"),
      MOVE(f.soak.sampler_overhead_ratio = 7, "zokio_soak_sampler_overhead_ratio{}"),
  };
  return moves;
}

std::vector<Move> all_moves() {
  std::vector<Move> all;
  for (const auto* part : {&scheduler_moves(), &pool_moves(), &io_moves(), &job_moves(),
                           &journal_moves(), &process_moves(), &rpc_moves(), &server_moves()}) {
    all.insert(all.end(), part->begin(), part->end());
  }
  return all;
}

TEST(Exporter, EachFigureMovesItsMetricsAndNoOther) {
  for (const Move& move : all_moves()) {
    EXPECT_THAT(moved(move.change), testing::ContainerEq(move.metrics)) << *move.metrics.begin();
  }
}

TEST(Exporter, EveryMetricIsMovedBySomeFigure) {
  std::set<std::string> covered;
  for (const Move& move : all_moves()) {
    for (const std::string& metric : move.metrics)
      covered.insert(metric.substr(0, metric.find('{')));
  }
  covered.insert("zokio_build_info");  // constant
  for (const prometheus::MetricFamily& family : families_of(zero_figures())) {
    EXPECT_TRUE(covered.contains(family.name)) << family.name << " has no counted source";
  }
}

TEST(Exporter, RetiredSlotKeepsItsCountersAndLosesItsHeartbeat) {
  Figures figures = zero_figures();
  figures.runtime.scheduler.workers[1].polls = 41;
  figures.runtime.scheduler.workers[1].state = zokio::WorkerState::Empty;
  const auto now = samples(figures);
  EXPECT_EQ(now.at("zokio_scheduler_polls_total{worker=\"1\"}"), 41);
  EXPECT_EQ(now.at("zokio_scheduler_workers{state=\"running\"}"), 1);
  EXPECT_FALSE(now.contains("zokio_scheduler_worker_heartbeat_timestamp_seconds{worker=\"1\"}"));
}

TEST(Exporter, EmptyQueueHasAgeZero) {
  const auto now = samples(zero_figures());
  EXPECT_EQ(now.at("zokio_queue_oldest_job_timestamp_seconds{" Q "}"), 1'700'000'000);
}

TEST(Exporter, BucketsAreCumulativeAndBelowTheTotal) {
  Figures figures = zero_figures();
  figures.runtime.scheduler.delay_ns = histogram_of({500, 900, 60'000, 2'000'000, 5'000'000'000});
  for (const prometheus::MetricFamily& family : families_of(figures)) {
    if (family.name != "zokio_scheduler_delay_seconds") continue;
    const auto& histogram = family.metric.at(0).histogram;
    ASSERT_EQ(histogram.bucket.size(), 17u);
    EXPECT_DOUBLE_EQ(histogram.bucket.front().upper_bound, 1e-6);
    EXPECT_DOUBLE_EQ(histogram.bucket.back().upper_bound, 1.0);
    uint64_t last = 0;
    for (const auto& bucket : histogram.bucket) {
      EXPECT_GE(bucket.cumulative_count, last);
      last = bucket.cumulative_count;
    }
    EXPECT_EQ(histogram.bucket.front().cumulative_count, 2u);
    EXPECT_EQ(last, 4u);  // five seconds lie beyond the last bound
    EXPECT_EQ(histogram.sample_count, 5u);
    EXPECT_NEAR(histogram.sample_sum, 5.0020614, 1e-9);
    return;
  }
  FAIL() << "no scheduler delay";
}

TEST(Exporter, ScrapeCountsItsOwnSeries) {
  Sources sources{.runtime = [] { return zero_figures().runtime; },
                  .process = [] { return zero_figures().process; },
                  .jobs = [] { return zero_figures().jobs; },
                  .soak = [] { return zero_figures().soak; },
                  .server = [] { return zero_figures().server; }};
  const Exporter exporter(sources);
  const std::string text = exporter.text();
  size_t series = 0;
  double claimed = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    series += text[at] != '#';
    constexpr std::string_view kName = "zokio_metrics_series ";
    if (text.compare(at, kName.size(), kName) == 0)
      claimed = std::stod(text.substr(at + kName.size()));
  }
  EXPECT_EQ(claimed, static_cast<double>(series));
  EXPECT_NE(text.find("\nzokio_scrape_duration_seconds "), std::string::npos);
}

}  // namespace
}  // namespace zokiod::metrics
