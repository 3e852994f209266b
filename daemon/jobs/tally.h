// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the engine counts. Thread: guarded by the engine's lock; the histograms by themselves.

#include <map>
#include <string>

#include "jobs/stats.h"
#include "kinds/kind.h"
#include "zokio/stats/histogram.h"

namespace zokiod::jobs {

class Tally {
 public:
  Tally();

  // A job is there now in `to` and no more in `from`; nullopt: new, or gone.
  void moved(std::string_view kind, std::optional<model::JobState> from,
             std::optional<model::JobState> to);
  void accepted(std::string_view kind) { ++row(kind).stats.accepted; }
  void duplicate(std::string_view kind) { ++row(kind).stats.duplicate; }
  void rejected(std::string_view kind, const std::string& reason);
  // `before`: as it was in the queue, with how its last attempt ended.
  // Returns how long it waited, ns.
  uint64_t started(const model::Job& before, const model::Job& job);
  void ended(const model::Job& job, model::Outcome outcome, zokio::Duration took);

  void fill(EngineStats& out, const kinds::Policy& policy) const;

  uint64_t lost = 0;
  uint64_t duplicate_executions = 0;
  uint64_t output_dropped_bytes = 0;
  RecoveryStats recovery;

 private:
  struct Row {
    KindStats stats;
    zokio::stats::Histogram queue_wait_ns, run_ns;
  };
  Row& row(std::string_view kind);

  std::map<std::string, Row, std::less<>> rows_;
  std::map<std::string, uint64_t> rejected_;
};

}  // namespace zokiod::jobs
