// SPDX-License-Identifier: Apache-2.0
#pragma once

// Turns snapshots into samples: keeps the cumulative histograms of the sample before, so that a
// latency is that of the interval. Thread: one.

#include "jobs/stats.h"
#include "soak/record.h"
#include "zokio/os/process_stats.h"
#include "zokio/stats/snapshot.h"

namespace zokiod::soak {

// `after` minus `before`: the events between two snapshots of one histogram.
zokio::HistogramSnapshot between(const zokio::HistogramSnapshot& before,
                                 const zokio::HistogramSnapshot& after);

// Bytes that malloc has handed out, in all its arenas. Resident memory also holds what was freed
// and lies between; this tells a leak from that. 0: the allocator does not say (sanitizers).
uint64_t heap_in_use_bytes();

struct Sources {
  zokio::RuntimeSnapshot runtime;
  zokio::os::ProcessStats process;
  uint64_t heap_in_use_bytes = 0;
  jobs::EngineStats jobs;
  zokio::HistogramSnapshot job_latency;  // of the soak's jobs, cumulative
  uint64_t finished = 0;                 // of the soak's jobs
};

class Sampler {
 public:
  Sample take(double t, bool baseline, const Sources& now);

 private:
  zokio::HistogramSnapshot sched_;
  zokio::HistogramSnapshot io_;
  zokio::HistogramSnapshot job_;
};

}  // namespace zokiod::soak
