// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every figure of the job engine, copied at one moment. Counters count since the process started;
// every compiled-in kind has its row from the first snapshot on, at zero.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/job.h"
#include "model/queue.h"
#include "store/store.h"
#include "zokio/stats/snapshot.h"

namespace zokiod::jobs {

enum class EngineState : uint8_t { Serving, Draining, Drained, Stopped };
std::string_view to_string(EngineState state);  // "serving", ...

struct KindStats {
  std::string kind;
  bool allowed = false;                // by the policy in force
  std::array<uint64_t, 9> states{};    // jobs now, index: JobState; terminal ones: those retained
  std::array<uint64_t, 8> finished{};  // attempts ended for good or interrupted, index: Outcome
  uint64_t accepted = 0;
  uint64_t duplicate = 0;  // the same request_id and spec again
  uint64_t rejected = 0;
  uint64_t attempts_first = 0;
  uint64_t attempts_retry = 0;
  uint64_t attempts_recovery = 0;          // started again after an interruption
  uint64_t verify_failures = 0;            // DataLoss: what was read is not what was written
  zokio::HistogramSnapshot queue_wait_ns;  // queued to started
  zokio::HistogramSnapshot run_ns;         // started to ended

  uint64_t in_state(model::JobState s) const { return states[static_cast<size_t>(s)]; }
  uint64_t with_outcome(model::Outcome o) const { return finished[static_cast<size_t>(o)]; }
};

struct QueueStats {
  model::QueueSpec spec;
  uint64_t live = 0;  // jobs that are not finished
  uint64_t queued = 0;
  uint64_t running = 0;
  std::array<uint64_t, 9> states{};  // jobs now, index: JobState
  uint64_t started = 0;              // attempts
  uint64_t refused = 0;              // submits, by its size or because it drains
  model::WallTime oldest_queued;     // not set: nothing is queued
  std::string_view held_by;          // "paused", "concurrency", "rate"; empty: nothing holds it
  zokio::HistogramSnapshot queue_wait_ns;
};

using JournalStats = store::JournalStats;

// What the last start found.
struct RecoveryStats {
  uint64_t jobs = 0;  // all that were read
  uint64_t queued = 0;
  uint64_t interrupted = 0;  // were running: queued again, not counted against them
  uint64_t retrying = 0;
  uint64_t finished = 0;
};

struct EngineStats {
  EngineState state = EngineState::Serving;
  std::vector<KindStats> kinds;              // sorted by name
  std::vector<QueueStats> queues;            // sorted by name
  std::map<std::string, uint64_t> rejected;  // by reason; every reason from the start, at zero
  uint64_t running = 0;
  uint64_t queued = 0;
  uint64_t queue_limit = 0;           // jobs not finished, at most
  uint64_t concurrency = 0;           // running at a time, at most
  model::WallTime oldest_queued;      // not set: the queue is empty
  uint64_t lost = 0;                  // acknowledged, but gone when it was looked for
  uint64_t duplicate_executions = 0;  // results refused because the attempt had one
  uint64_t revision = 0;              // of the latest event
  uint64_t subscribers = 0;
  uint64_t subscribers_lagged = 0;    // ended because they fell behind
  uint64_t output_dropped_bytes = 0;  // captured output beyond its limit
  JournalStats journal;
  RecoveryStats recovery;
};

}  // namespace zokiod::jobs
