// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a soak saw: samples, the accounting of its jobs, its resizes. A plain value: the verdict and
// the report are functions of it. Thread: values.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "soak/plan.h"

namespace zokiod::soak {

// One second. Latencies are those of the interval since the sample before; NaN never occurs: an
// interval without events repeats nothing and has count 0.
struct Sample {
  double t = 0;           // seconds since the start
  bool baseline = false;  // sizes have been those of the baseline for a while
  uint64_t rss_anon_bytes = 0;
  uint64_t heap_in_use_bytes = 0;  // handed out by malloc and not freed
  uint64_t pool_in_use_bytes = 0;
  uint64_t pool_cached_bytes = 0;
  uint64_t pool_requests = 0;  // cumulative
  uint64_t pool_misses = 0;    // cumulative
  uint32_t fds = 0;
  uint32_t threads = 0;
  // Part of threads: started on demand, or kept for a while after a resize.
  uint32_t blocking_threads = 0;
  uint32_t workers = 0;
  uint32_t reactors = 0;
  uint64_t queued = 0;
  uint64_t running = 0;
  uint64_t finished = 0;  // cumulative, of this soak
  uint64_t sched_count = 0;
  double sched_p99_s = 0;
  uint64_t io_count = 0;
  double io_p99_s = 0;
  uint64_t job_count = 0;
  double job_p99_s = 0;  // from the moment it was due, not from the moment it was sent
};

// Every job of the soak is in exactly one of these when it is over.
struct Accounting {
  uint64_t offered = 0;  // due by the plan
  uint64_t skipped = 0;  // due, not sent: too many sends were waiting
  uint64_t acknowledged = 0;
  uint64_t rejected = 0;  // refused with an error
  uint64_t succeeded = 0;
  uint64_t failed = 0;       // failed, timed out or cancelled: none of them was asked for
  uint64_t duplicates = 0;   // reached a terminal state more than once
  uint64_t lost = 0;         // acknowledged, and no terminal state by the end of the grace time
  uint64_t mismatches = 0;   // result differs from that of an equal spec, or failed to verify
  uint64_t outstanding = 0;  // acknowledged and not ended yet
  std::map<std::string, uint64_t> errors;  // by reason
  std::vector<std::string> examples;       // a few ids with what was wrong
};

struct ResizeDone {
  double at_s = 0;
  double took_s = 0;
  std::string what;  // "workers 2 -> 4"
  bool ok = true;
  bool to_baseline = false;
  std::string error;
};

enum class Phase : uint8_t { WarmUp, Steady, Settling, Done };

struct Record {
  Plan plan;
  std::string run_id;
  int64_t start_unix_ms = 0;
  double elapsed_s = 0;
  Phase phase = Phase::WarmUp;
  double steady_from_s = 0;     // when the warm-up really ended; 0: not yet
  bool histories_full = false;  // the warm-up filled the bounded histories
  bool stopped_early = false;
  std::string stop_reason;
  std::vector<Sample> samples;
  uint64_t samples_missed = 0;
  double sampler_cpu_s = 0;
  Accounting jobs;
  // Growth of the engine's own counters over the soak.
  uint64_t engine_lost = 0;
  uint64_t engine_duplicates = 0;
  uint64_t engine_verify_failures = 0;
  std::vector<ResizeDone> resizes;
  std::map<std::string, std::string> environment;
};

}  // namespace zokiod::soak
