// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert_stats.h"

#include <gtest/gtest.h>

#include "zokio/stats/histogram.h"

namespace zokiod::rpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The names of number fields that are zero, below `message`.
void unset_numbers(const Message& message, const std::string& path, std::vector<std::string>& out) {
  const auto& d = *message.GetDescriptor();
  const auto& r = *message.GetReflection();
  for (int i = 0; i < d.field_count(); ++i) {
    const FieldDescriptor& f = *d.field(i);
    const std::string name = path + "." + f.name();
    if (f.is_repeated()) {
      if (r.FieldSize(message, &f) == 0) out.push_back(name);
      if (!f.is_map() && f.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        for (int j = 0; j < r.FieldSize(message, &f); ++j)
          unset_numbers(r.GetRepeatedMessage(message, &f, j), name, out);
    } else if (f.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!r.HasField(message, &f))
        out.push_back(name);
      else if (!f.message_type()->full_name().starts_with("google."))
        unset_numbers(r.GetMessage(message, &f), name, out);
    } else if (f.cpp_type() != FieldDescriptor::CPPTYPE_BOOL && !r.HasField(message, &f)) {
      out.push_back(name);
    }
  }
}

zokio::HistogramSnapshot some_values() {
  zokio::stats::Histogram histogram;
  for (uint64_t i = 1; i <= 1000; ++i) histogram.record(i * 1000);
  return histogram.snapshot();
}

// Sets every figure to something: a field of the message that stays at zero was forgotten.
TEST(ConvertStats, NoFigureOfTheRuntimeIsForgotten) {
  zokio::RuntimeSnapshot s;
  s.taken_ns = 100;
  zokio::WorkerSnapshot w{1, zokio::WorkerState::Running, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                          14};
  s.scheduler = {.workers_desired = 1,
                 .workers = {w},
                 .injector_depth = 2,
                 .scheduled_remote = 3,
                 .blocking_depth = 4,
                 .blocking_threads = 5,
                 .blocking_busy = 6,
                 .timers_pending = 7,
                 .tasks_spawned = 8,
                 .tasks_finished_ok = 9,
                 .tasks_finished_error = 10,
                 .tasks_finished_cancelled = 11,
                 .tasks_alive = 12,
                 .stalls = 13,
                 .stall_longest_ns = 14,
                 .workers_extra = 15,
                 .delay_ns = some_values(),
                 .poll_ns = some_values(),
                 .groups = {},
                 .cpu_quota = 1.5};
  zokio::PoolSnapshot p;
  p.name = "frames";
  p.limit_bytes = 1;
  p.in_use_bytes = 2;
  p.cached_bytes = 3;
  p.high_water_bytes = 4;
  p.objects_in_use = 5;
  p.hits_thread = 6;
  p.hits_shared = 7;
  p.misses_os = 8;
  p.frees = 9;
  p.refill_bytes = 10;
  p.released_bytes = 11;
  p.failures_limit = 12;
  p.failures_os = 13;
  p.shrinking = true;
  p.refills = 14;
  p.flushes = 15;
  p.remote_frees = 16;
  p.central_locks = 17;
  p.central_contended = 18;
  p.committed_bytes = 90;
  p.stranded_bytes = 2;
  p.requested_bytes = 21;
  p.hit_ns = some_values();
  p.miss_ns = some_values();
  p.classes = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 90, 2, 17, 18}};
  s.pools = {p};
  zokio::ReactorSnapshot r;
  r.slot = 1;
  r.state = zokio::ReactorState::Active;
  r.backend = "io_uring";
  r.features = "f";
  r.host = "worker-1";
  r.inflight = r.submissions = r.enters = r.sq_full = r.cq_overflows = 1;
  r.remote_ops = r.bells = r.registered_ops = 2;
  r.ring_entries = r.rings_draining = r.receive_buffers = 3;
  r.rings_resized = r.rings_replaced = 4;
  r.registered_buffers = "yes";
  zokio::IoOpSnapshot op{"read", "io_uring", 1, 2, 3, 4, some_values()};
  s.io.reactors_desired = 1;
  s.io.backend = "epoll";
  s.io.fallback_reason = "EPERM";
  s.io.reactors = {r};
  s.io.ops = {op};
  s.io.file_ops_blocking = 5;
  zokio::v1::Stats out;
  write_runtime(out, s);
  std::vector<std::string> unset;
  unset_numbers(out.scheduler(), "scheduler", unset);
  unset_numbers(out.pools(0), "pools", unset);
  unset_numbers(out.io(), "io", unset);
  EXPECT_EQ(unset, std::vector<std::string>{});
  EXPECT_EQ(out.scheduler().workers(0).heartbeat_age_ns(), 86u);
}

TEST(ConvertStats, NoFigureOfTheJobsIsForgotten) {
  jobs::EngineStats s;
  jobs::KindStats k;
  k.kind = "exec";
  k.states.fill(3);
  k.finished.fill(4);
  k.accepted = k.duplicate = k.rejected = k.attempts_first = 1;
  k.attempts_retry = k.attempts_recovery = k.verify_failures = 1;
  k.queue_wait_ns = k.run_ns = some_values();
  s.kinds = {k};
  s.rejected = {{"QUEUE_FULL", 1}};
  s.running = s.queued = s.queue_limit = s.concurrency = s.lost = s.duplicate_executions = 1;
  s.oldest_queued = {5};
  s.revision = s.subscribers = s.subscribers_lagged = s.output_dropped_bytes = 1;
  s.journal.error = "x";
  s.journal.commits = s.journal.writes = s.journal.failures = s.journal.fenced = 1;
  s.journal.size_bytes = s.journal.depth = 1;
  s.journal.append_ns = s.journal.fsync_ns = some_values();
  s.recovery = {1, 2, 3, 4, 5};
  zokio::v1::JobsStats out;
  write_jobs(out, s);
  std::vector<std::string> unset;
  unset_numbers(out, "jobs", unset);
  EXPECT_EQ(unset, std::vector<std::string>{});
  EXPECT_EQ(out.state(), "serving");
}

TEST(ConvertStats, SummaryOfADistribution) {
  const auto summary = summary_of(some_values());
  EXPECT_EQ(summary.count(), 1000u);
  EXPECT_EQ(summary.sum_ns(), 500'500'000u);
  // A bucket is at most 1/8 wide.
  EXPECT_NEAR(static_cast<double>(summary.p50_ns()), 500e3, 70e3);
  EXPECT_NEAR(static_cast<double>(summary.p99_ns()), 990e3, 140e3);
  EXPECT_GE(summary.max_ns(), 1'000'000u);
  EXPECT_EQ(summary_of({}).p99_ns(), 0u);
}

TEST(ConvertStats, CodesThatNeverHappenedAreLeftOut) {
  CallStats stats;
  stats.method("s", "m").record(5, 100);
  zokio::v1::RpcStats out;
  write_rpc(out, stats.snapshot());
  ASSERT_EQ(out.methods_size(), 1);
  EXPECT_EQ(out.methods(0).handled_size(), 1);
  EXPECT_EQ(out.methods(0).handled().at("NOT_FOUND"), 1u);
}

}  // namespace
}  // namespace zokiod::rpc
