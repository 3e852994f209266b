// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert_stats.h"

#include <unistd.h>

#include "rpc/convert.h"

namespace zokiod::rpc {
namespace {

v1::WorkerStats::State state_of(zokio::WorkerState state) {
  switch (state) {
    case zokio::WorkerState::Empty:
      return v1::WorkerStats::STATE_EMPTY;
    case zokio::WorkerState::Running:
      return v1::WorkerStats::STATE_RUNNING;
    case zokio::WorkerState::Parked:
      return v1::WorkerStats::STATE_PARKED;
    case zokio::WorkerState::Retiring:
      return v1::WorkerStats::STATE_RETIRING;
  }
  return v1::WorkerStats::STATE_UNSPECIFIED;
}

v1::ReactorStats::State state_of(zokio::ReactorState state) {
  switch (state) {
    case zokio::ReactorState::Empty:
      return v1::ReactorStats::STATE_EMPTY;
    case zokio::ReactorState::Active:
      return v1::ReactorStats::STATE_ACTIVE;
    case zokio::ReactorState::Draining:
      return v1::ReactorStats::STATE_DRAINING;
  }
  return v1::ReactorStats::STATE_UNSPECIFIED;
}

void write_worker(v1::WorkerStats& out, const zokio::WorkerSnapshot& worker, int64_t taken_ns) {
  out.set_slot(worker.slot);
  out.set_state(state_of(worker.state));
  out.set_queue_depth(worker.queue_depth);
  out.set_polls(worker.polls);
  out.set_parks(worker.parks);
  out.set_noop_wakeups(worker.noop_wakeups);
  out.set_busy_ns(worker.busy_ns);
  out.set_steal_hits(worker.steal_hits);
  out.set_steal_empty(worker.steal_empty);
  out.set_steal_contended(worker.steal_contended);
  out.set_stolen_tasks(worker.stolen_tasks);
  out.set_local_overflows(worker.local_overflows);
  out.set_scheduled_local(worker.scheduled_local);
  out.set_scheduled_io(worker.scheduled_io);
  out.set_scheduled_timer(worker.scheduled_timer);
  if (worker.heartbeat_ns != 0 && taken_ns > worker.heartbeat_ns)
    out.set_heartbeat_age_ns(static_cast<uint64_t>(taken_ns - worker.heartbeat_ns));
}

void write_scheduler(v1::SchedulerStats& out, const zokio::SchedulerSnapshot& from,
                     int64_t taken_ns) {
  out.set_workers_desired(from.workers_desired);
  for (const auto& worker : from.workers) write_worker(*out.add_workers(), worker, taken_ns);
  out.set_injector_depth(from.injector_depth);
  out.set_scheduled_remote(from.scheduled_remote);
  out.set_blocking_depth(from.blocking_depth);
  out.set_blocking_threads(from.blocking_threads);
  out.set_blocking_busy(from.blocking_busy);
  out.set_timers_pending(from.timers_pending);
  out.set_tasks_spawned(from.tasks_spawned);
  out.set_tasks_finished_ok(from.tasks_finished_ok);
  out.set_tasks_finished_error(from.tasks_finished_error);
  out.set_tasks_finished_cancelled(from.tasks_finished_cancelled);
  out.set_tasks_alive(from.tasks_alive);
  out.set_stalls(from.stalls);
  out.set_stall_longest_ns(from.stall_longest_ns);
  out.set_workers_extra(from.workers_extra);
  out.set_cpu_quota(from.cpu_quota);
  *out.mutable_delay() = summary_of(from.delay_ns);
  *out.mutable_poll() = summary_of(from.poll_ns);
}

// What a pool and one of its classes have in common.
template <class Out, class From>
void write_figures(Out& out, const From& from) {
  out.set_in_use_bytes(from.in_use_bytes);
  out.set_cached_bytes(from.cached_bytes);
  out.set_high_water_bytes(from.high_water_bytes);
  out.set_objects_in_use(from.objects_in_use);
  out.set_hits_thread(from.hits_thread);
  out.set_hits_shared(from.hits_shared);
  out.set_misses_os(from.misses_os);
  out.set_frees(from.frees);
  out.set_refills(from.refills);
  out.set_flushes(from.flushes);
  out.set_remote_frees(from.remote_frees);
  out.set_central_locks(from.central_locks);
  out.set_central_contended(from.central_contended);
  out.set_committed_bytes(from.committed_bytes);
  out.set_stranded_bytes(from.stranded_bytes);
  out.set_requested_bytes(from.requested_bytes);
  out.set_released_bytes(from.released_bytes);
  out.set_fragmentation(from.fragmentation());
  out.set_hit_rate(from.hit_rate());
  out.set_reuse_rate(from.reuse_rate());
}

void write_class(v1::PoolClassStats& out, const zokio::ClassSnapshot& from) {
  write_figures(out, from);
  out.set_block_bytes(from.block_bytes);
}

void write_pool(v1::PoolStats& out, const zokio::PoolSnapshot& from) {
  write_figures(out, from);
  out.set_name(from.name);
  out.set_limit_bytes(from.limit_bytes);
  out.set_refill_bytes(from.refill_bytes);
  out.set_failures_limit(from.failures_limit);
  out.set_failures_os(from.failures_os);
  out.set_shrinking(from.shrinking);
  out.set_utilisation(from.utilisation());
  *out.mutable_hit() = summary_of(from.hit_ns);
  *out.mutable_miss() = summary_of(from.miss_ns);
  out.set_allocation_p50_ns(from.allocation_ns(0.5));
  out.set_allocation_p99_ns(from.allocation_ns(0.99));
  for (const auto& each : from.classes) write_class(*out.add_classes(), each);
}

void write_io(v1::IoStats& out, const zokio::IoSnapshot& from) {
  out.set_reactors_desired(from.reactors_desired);
  out.set_backend(from.backend);
  out.set_fallback_reason(from.fallback_reason);
  for (const auto& reactor : from.reactors) {
    auto* to = out.add_reactors();
    to->set_slot(reactor.slot);
    to->set_state(state_of(reactor.state));
    to->set_backend(reactor.backend);
    to->set_features(reactor.features);
    to->set_host(reactor.host);
    to->set_inflight(reactor.inflight);
    to->set_submissions(reactor.submissions);
    to->set_enters(reactor.enters);
    to->set_sq_full(reactor.sq_full);
    to->set_cq_overflows(reactor.cq_overflows);
    to->set_remote_ops(reactor.remote_ops);
    to->set_bells(reactor.bells);
    to->set_ring_entries(reactor.ring_entries);
    to->set_rings_resized(reactor.rings_resized);
    to->set_rings_replaced(reactor.rings_replaced);
    to->set_rings_draining(reactor.rings_draining);
    to->set_receive_buffers(reactor.receive_buffers);
  }
  for (const auto& op : from.ops) {
    auto* to = out.add_ops();
    to->set_op(op.op);
    to->set_backend(op.backend);
    to->set_ok(op.ok);
    to->set_error(op.error);
    to->set_cancelled(op.cancelled);
    to->set_bytes(op.bytes);
    *to->mutable_duration() = summary_of(op.duration_ns);
  }
  out.set_file_ops_blocking(from.file_ops_blocking);
}

void write_kind(v1::KindStats& out, const jobs::KindStats& from) {
  using model::JobState;
  using model::Outcome;
  out.set_kind(from.kind);
  out.set_allowed(from.allowed);
  out.set_queued(from.in_state(JobState::Queued));
  out.set_running(from.in_state(JobState::Running));
  out.set_retrying(from.in_state(JobState::Retrying));
  out.set_retained_succeeded(from.in_state(JobState::Succeeded));
  out.set_retained_failed(from.in_state(JobState::Failed));
  out.set_retained_cancelled(from.in_state(JobState::Cancelled));
  out.set_retained_timed_out(from.in_state(JobState::TimedOut));
  out.set_accepted(from.accepted);
  out.set_duplicate(from.duplicate);
  out.set_rejected(from.rejected);
  out.set_finished_succeeded(from.with_outcome(Outcome::Succeeded));
  out.set_finished_failed(from.with_outcome(Outcome::Failed));
  out.set_finished_cancelled(from.with_outcome(Outcome::Cancelled));
  out.set_finished_timed_out(from.with_outcome(Outcome::TimedOut));
  out.set_finished_interrupted(from.with_outcome(Outcome::Interrupted));
  out.set_attempts_first(from.attempts_first);
  out.set_attempts_retry(from.attempts_retry);
  out.set_attempts_recovery(from.attempts_recovery);
  out.set_verify_failures(from.verify_failures);
  *out.mutable_queue_wait() = summary_of(from.queue_wait_ns);
  *out.mutable_run() = summary_of(from.run_ns);
}

void write_journal(v1::JournalStats& out, const jobs::JournalStats& from) {
  out.set_durable(from.durable);
  out.set_healthy(from.healthy);
  out.set_error(from.error);
  out.set_commits(from.commits);
  out.set_writes(from.writes);
  out.set_failures(from.failures);
  out.set_fenced(from.fenced);
  out.set_size_bytes(from.size_bytes);
  out.set_depth(from.depth);
  *out.mutable_append() = summary_of(from.append_ns);
  *out.mutable_fsync() = summary_of(from.fsync_ns);
}

}  // namespace

v1::DurationSummary summary_of(const zokio::HistogramSnapshot& histogram) {
  v1::DurationSummary out;
  out.set_count(histogram.count);
  out.set_sum_ns(histogram.sum);
  out.set_p50_ns(histogram.quantile(0.5));
  out.set_p90_ns(histogram.quantile(0.9));
  out.set_p99_ns(histogram.quantile(0.99));
  out.set_max_ns(histogram.quantile(1));
  return out;
}

void write_runtime(v1::Stats& out, const zokio::RuntimeSnapshot& snapshot) {
  write_scheduler(*out.mutable_scheduler(), snapshot.scheduler, snapshot.taken_ns);
  for (const auto& pool : snapshot.pools) write_pool(*out.add_pools(), pool);
  write_io(*out.mutable_io(), snapshot.io);
}

void write_jobs(v1::JobsStats& out, const jobs::EngineStats& stats) {
  out.set_state(std::string(jobs::to_string(stats.state)));
  for (const auto& kind : stats.kinds) write_kind(*out.add_kinds(), kind);
  for (const auto& [why, count] : stats.rejected) (*out.mutable_rejected())[why] = count;
  out.set_running(stats.running);
  out.set_queued(stats.queued);
  out.set_queue_limit(stats.queue_limit);
  out.set_concurrency(stats.concurrency);
  if (stats.oldest_queued.is_set()) set_time(*out.mutable_oldest_queue_time(), stats.oldest_queued);
  out.set_lost(stats.lost);
  out.set_duplicate_executions(stats.duplicate_executions);
  out.set_revision(stats.revision);
  out.set_subscribers(stats.subscribers);
  out.set_subscribers_lagged(stats.subscribers_lagged);
  out.set_output_dropped_bytes(stats.output_dropped_bytes);
  write_journal(*out.mutable_journal(), stats.journal);
  auto* recovery = out.mutable_recovery();
  recovery->set_jobs(stats.recovery.jobs);
  recovery->set_queued(stats.recovery.queued);
  recovery->set_interrupted(stats.recovery.interrupted);
  recovery->set_retrying(stats.recovery.retrying);
  recovery->set_finished(stats.recovery.finished);
}

void write_process(v1::ProcessStats& out, const zokio::os::ProcessStats& stats) {
  out.set_pid(static_cast<uint32_t>(getpid()));
  const double now = static_cast<double>(model::WallTime::now().unix_ns) / 1e9;
  const double uptime = now - stats.start_time_unix_seconds;
  if (uptime > 0)
    *out.mutable_uptime() = to_proto(zokio::Duration(static_cast<int64_t>(uptime * 1e9)));
  out.set_cpu_ns(static_cast<uint64_t>(stats.cpu_seconds() * 1e9));
  out.set_resident_bytes(stats.resident_bytes());
  out.set_resident_anon_bytes(stats.rss_anon_bytes);
  out.set_resident_file_bytes(stats.rss_file_bytes);
  out.set_resident_shared_bytes(stats.rss_shmem_bytes);
  out.set_swap_bytes(stats.swap_bytes);
  out.set_virtual_bytes(stats.virtual_bytes);
  out.set_threads(stats.threads);
  out.set_open_fds(stats.open_fds);
  out.set_max_fds(stats.max_fds);
  out.set_major_faults(stats.page_faults_major);
  out.set_minor_faults(stats.page_faults_minor);
  out.set_voluntary_switches(stats.context_switches_voluntary);
  out.set_involuntary_switches(stats.context_switches_involuntary);
}

void write_rpc(v1::RpcStats& out, const ServerStats& stats) {
  out.set_connections_accepted(stats.connections_accepted);
  out.set_calls_denied(stats.calls_denied);
  out.set_calls_active(stats.calls_active);
  for (const auto& method : stats.methods) {
    auto* to = out.add_methods();
    to->set_service(method.service);
    to->set_method(method.method);
    for (size_t code = 0; code < kCodes; ++code)
      if (method.handled[code] != 0)
        (*to->mutable_handled())[std::string(code_name(code))] = method.handled[code];
    *to->mutable_handling() = summary_of(method.handling_ns);
  }
}

}  // namespace zokiod::rpc
