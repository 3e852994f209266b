// SPDX-License-Identifier: Apache-2.0

#include "soak/sampler.h"

#include <malloc.h>

#include <algorithm>
#include <string_view>

#include "zokio/stats/histogram.h"

namespace zokiod::soak {
namespace {

// Operations whose time is the device's and ours. The time of others is that of whoever they wait
// for: a connection, a child process.
bool is_storage(std::string_view op) {
  return op == "read" || op == "write" || op == "fsync";
}

zokio::HistogramSnapshot storage_latency(const zokio::IoSnapshot& io) {
  zokio::HistogramSnapshot all;
  for (const zokio::IoOpSnapshot& op : io.ops) {
    if (is_storage(op.op)) zokio::stats::merge(all, op.duration_ns);
  }
  return all;
}

// Count and p99 of what came since `before`, which becomes `after`.
void advance(zokio::HistogramSnapshot& before, zokio::HistogramSnapshot after, uint64_t& count,
             double& p99_s) {
  const zokio::HistogramSnapshot fresh = between(before, after);
  count = fresh.count;
  p99_s = count == 0 ? 0 : static_cast<double>(fresh.quantile(0.99)) / 1e9;
  before = std::move(after);
}

void take_runtime(const zokio::RuntimeSnapshot& runtime, Sample& sample) {
  for (const zokio::WorkerSnapshot& w : runtime.scheduler.workers) {
    sample.workers += w.state != zokio::WorkerState::Empty;
  }
  for (const zokio::ReactorSnapshot& r : runtime.io.reactors) {
    sample.reactors += r.state != zokio::ReactorState::Empty;
  }
  for (const zokio::PoolSnapshot& p : runtime.pools) {
    sample.pool_in_use_bytes += p.in_use_bytes;
    sample.pool_cached_bytes += p.cached_bytes;
    sample.pool_requests += p.hits_thread + p.hits_shared + p.misses_os;
    sample.pool_misses += p.misses_os;
  }
  sample.blocking_threads =
      static_cast<uint32_t>(runtime.scheduler.blocking_threads) + runtime.scheduler.kept_threads;
}

}  // namespace

zokio::HistogramSnapshot between(const zokio::HistogramSnapshot& before,
                                 const zokio::HistogramSnapshot& after) {
  zokio::HistogramSnapshot fresh = after;
  for (size_t i = 0; i < std::min(before.counts.size(), fresh.counts.size()); ++i) {
    fresh.counts[i] -= std::min(before.counts[i], fresh.counts[i]);
  }
  fresh.count = 0;
  for (const uint64_t count : fresh.counts) fresh.count += count;
  fresh.sum -= std::min(before.sum, fresh.sum);
  return fresh;
}

uint64_t heap_in_use_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

Sample Sampler::take(double t, bool baseline, const Sources& now) {
  Sample sample;
  sample.t = t;
  sample.baseline = baseline;
  take_runtime(now.runtime, sample);
  sample.rss_anon_bytes = now.process.rss_anon_bytes;
  sample.heap_in_use_bytes = now.heap_in_use_bytes;
  sample.fds = static_cast<uint32_t>(now.process.open_fds);
  sample.threads = static_cast<uint32_t>(now.process.threads);
  sample.queued = now.jobs.queued;
  sample.running = now.jobs.running;
  sample.finished = now.finished;
  advance(sched_, now.runtime.scheduler.delay_ns, sample.sched_count, sample.sched_p99_s);
  advance(io_, storage_latency(now.runtime.io), sample.io_count, sample.io_p99_s);
  advance(job_, now.job_latency, sample.job_count, sample.job_p99_s);
  return sample;
}

}  // namespace zokiod::soak
