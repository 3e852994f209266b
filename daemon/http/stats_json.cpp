// SPDX-License-Identifier: Apache-2.0

#include "http/stats_json.h"

#include <nlohmann/json.hpp>

#include "metrics/build_info.h"
#include "zokio/stats/histogram.h"

namespace zokiod::http {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(zokio::WorkerState state) {
  switch (state) {
    case zokio::WorkerState::Empty:
      return "empty";
    case zokio::WorkerState::Running:
      return "running";
    case zokio::WorkerState::Parked:
      return "parked";
    case zokio::WorkerState::Retiring:
      return "retiring";
  }
  return "unknown";
}

const char* name_of(zokio::ReactorState state) {
  switch (state) {
    case zokio::ReactorState::Empty:
      return "empty";
    case zokio::ReactorState::Active:
      return "active";
    case zokio::ReactorState::Draining:
      return "draining";
  }
  return "unknown";
}

Json histogram(const zokio::HistogramSnapshot& h) {
  Json buckets = Json::array();
  for (size_t i = 0; i < h.counts.size(); ++i) {
    if (h.counts[i] == 0) continue;
    buckets.push_back({zokio::stats::bucket_upper_bound(i), h.counts[i]});
  }
  return {{"count", h.count},
          {"sum_ns", h.sum},
          {"p50_ns", h.quantile(0.5)},
          {"p99_ns", h.quantile(0.99)},
          {"buckets", std::move(buckets)}};
}

Json server(const metrics::Figures& f) {
  return {{"state", metrics::to_string(f.server.state)},
          {"version", metrics::kVersion},
          {"revision", metrics::kRevision},
          {"compiler", metrics::kCompiler},
          {"config_generation", f.server.config_generation},
          {"last_reload_ok", f.server.last_reload_ok}};
}

Json worker(const zokio::WorkerSnapshot& w, int64_t taken_ns) {
  return {{"slot", w.slot},
          {"state", name_of(w.state)},
          {"queue_depth", w.queue_depth},
          {"busy_ns", w.busy_ns},
          {"polls", w.polls},
          {"parks", w.parks},
          {"steals", w.steal_hits},
          {"stolen_tasks", w.stolen_tasks},
          {"heartbeat_age_ns", taken_ns - w.heartbeat_ns}};
}

Json scheduler(const zokio::RuntimeSnapshot& runtime) {
  const zokio::SchedulerSnapshot& s = runtime.scheduler;
  Json workers = Json::array();
  for (const auto& w : s.workers) workers.push_back(worker(w, runtime.taken_ns));
  return {{"workers_desired", s.workers_desired},
          {"workers", std::move(workers)},
          {"injector_depth", s.injector_depth},
          {"blocking_depth", s.blocking_depth},
          {"blocking_threads", s.blocking_threads},
          {"blocking_busy", s.blocking_busy},
          {"timers_pending", s.timers_pending},
          {"tasks_spawned", s.tasks_spawned},
          {"tasks_alive", s.tasks_alive},
          {"tasks_finished",
           {{"ok", s.tasks_finished_ok},
            {"error", s.tasks_finished_error},
            {"cancelled", s.tasks_finished_cancelled}}},
          {"stalls", s.stalls},
          {"stall_longest_ns", s.stall_longest_ns},
          {"workers_extra", s.workers_extra},
          {"cpu_quota", s.cpu_quota},
          {"delay", histogram(s.delay_ns)},
          {"poll", histogram(s.poll_ns)}};
}

Json pools(const std::vector<zokio::PoolSnapshot>& all) {
  Json list = Json::array();
  for (const auto& p : all) {
    list.push_back({{"name", p.name},
                    {"limit_bytes", p.limit_bytes},
                    {"in_use_bytes", p.in_use_bytes},
                    {"cached_bytes", p.cached_bytes},
                    {"high_water_bytes", p.high_water_bytes},
                    {"objects_in_use", p.objects_in_use},
                    {"hits_thread", p.hits_thread},
                    {"hits_shared", p.hits_shared},
                    {"misses_os", p.misses_os},
                    {"failures", p.failures_limit + p.failures_os},
                    {"committed_bytes", p.committed_bytes},
                    {"fragmentation", p.fragmentation()},
                    {"shrinking", p.shrinking}});
  }
  return list;
}

Json io(const zokio::IoSnapshot& s) {
  Json reactors = Json::array();
  for (const auto& r : s.reactors) {
    reactors.push_back({{"slot", r.slot},
                        {"state", name_of(r.state)},
                        {"backend", r.backend},
                        {"features", r.features},
                        {"host", r.host},
                        {"inflight", r.inflight},
                        {"submissions", r.submissions},
                        {"enters", r.enters},
                        {"ring_entries", r.ring_entries},
                        {"rings_resized", r.rings_resized},
                        {"rings_replaced", r.rings_replaced},
                        {"rings_draining", r.rings_draining},
                        {"receive_buffers", r.receive_buffers}});
  }
  Json ops = Json::array();
  for (const auto& op : s.ops) {
    ops.push_back({{"op", op.op},
                   {"backend", op.backend},
                   {"ok", op.ok},
                   {"error", op.error},
                   {"cancelled", op.cancelled},
                   {"bytes", op.bytes},
                   {"duration", histogram(op.duration_ns)}});
  }
  return {{"backend", s.backend},
          {"fallback_reason", s.fallback_reason},
          {"reactors_desired", s.reactors_desired},
          {"reactors", std::move(reactors)},
          {"file_ops_blocking", s.file_ops_blocking},
          {"ops", std::move(ops)}};
}

Json kind(const jobs::KindStats& k) {
  Json states = Json::object();
  for (const model::JobState s : model::kJobStates) {
    states[std::string(to_string(s))] = k.in_state(s);
  }
  Json outcomes = Json::object();
  for (const model::Outcome o : model::kOutcomes) {
    outcomes[std::string(to_string(o))] = k.with_outcome(o);
  }
  return {{"kind", k.kind},
          {"allowed", k.allowed},
          {"accepted", k.accepted},
          {"duplicate", k.duplicate},
          {"rejected", k.rejected},
          {"states", std::move(states)},
          {"finished", std::move(outcomes)},
          {"verify_failures", k.verify_failures},
          {"queue_wait", histogram(k.queue_wait_ns)},
          {"run", histogram(k.run_ns)}};
}

Json journal(const jobs::JournalStats& j) {
  return {{"durable", j.durable},
          {"healthy", j.healthy},
          {"error", j.error},
          {"commits", j.commits},
          {"writes", j.writes},
          {"failures", j.failures},
          {"size_bytes", j.size_bytes},
          {"append", histogram(j.append_ns)},
          {"fsync", histogram(j.fsync_ns)}};
}

Json job_engine(const metrics::Figures& f) {
  Json kinds = Json::array();
  for (const auto& k : f.jobs.kinds) kinds.push_back(kind(k));
  return {{"queued", f.jobs.queued},
          {"running", f.jobs.running},
          {"queue_limit", f.jobs.queue_limit},
          {"concurrency", f.jobs.concurrency},
          {"oldest_queued_unix_ms", f.jobs.oldest_queued.unix_ns / 1'000'000},
          {"lost", f.jobs.lost},
          {"duplicate_executions", f.jobs.duplicate_executions},
          {"kinds", std::move(kinds)},
          {"journal", journal(f.jobs.journal)}};
}

Json process(const zokio::os::ProcessStats& p) {
  return {{"start_unix_s", p.start_time_unix_seconds},
          {"rss_anon_bytes", p.rss_anon_bytes},
          {"resident_bytes", p.resident_bytes()},
          {"threads", p.threads},
          {"open_fds", p.open_fds},
          {"max_fds", p.max_fds},
          {"cpu_seconds", p.cpu_seconds()}};
}

Json soak_state(const soak::Figures& s) {
  Json checks = Json::array();
  for (const auto& check : s.checks) {
    if (check.judged) {
      checks.push_back({{"name", check.name}, {"state", soak::to_string(check.state)}});
    }
  }
  return {{"running", s.running},
          {"start_unix_ms", s.start_unix_ms},
          {"resizes", s.resizes},
          {"checks", std::move(checks)}};
}

}  // namespace

std::string stats_json(const metrics::Figures& f) {
  const Json document = {{"schema", 1},
                         {"unix_ms", f.unix_ms},
                         {"server", server(f)},
                         {"scheduler", scheduler(f.runtime)},
                         {"pools", pools(f.runtime.pools)},
                         {"io", io(f.runtime.io)},
                         {"jobs", job_engine(f)},
                         {"process", process(f.process)},
                         {"soak", soak_state(f.soak)}};
  // Text from outside (an error message) may hold bytes that are no UTF-8: replaced, never thrown.
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace zokiod::http
