// SPDX-License-Identifier: Apache-2.0
#pragma once

// The accounting of a soak's jobs: every acknowledged one has to end exactly once, with the result
// that an equal one had.
//
// Memory is bounded and taken at the start, so that the keeper of the books is no leak itself: ids
// of ended jobs go into a table that new ones overwrite.
// Thread: any.

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/id.h"
#include "model/job.h"
#include "soak/record.h"
#include "zokio/stats/histogram.h"

namespace zokiod::soak {

class Ledger {
 public:
  Ledger();

  void offered() { count(&Accounting::offered); }
  void skipped() { count(&Accounting::skipped); }
  void rejected(const std::string& reason);

  // The engine took the job; `due_ns` is when the plan wanted it, on the monotonic clock.
  // Events can overtake the answer to a submit: true when its end was seen before; look at its
  // result then.
  bool acknowledged(const model::JobId& id, int64_t due_ns);

  // A job reached a terminal state. True: it is one of ours and this is its first end; look at its
  // result then. Jobs of others are noticed, and forgotten.
  bool ended(const model::JobId& id, model::JobState state, int64_t now_ns);

  // Whether a result fits: equal specs give equal checksums. `key` names the spec.
  void result(const model::JobId& id, const std::string& key, const std::string& checksum);
  // A failed job's error.
  void failure(const model::JobId& id, const std::string& reason, const std::string& message);
  // The books are closed and this acknowledged job has not ended.
  void lost(const model::JobId& id, const std::string& why);

  std::vector<model::JobId> outstanding() const;
  size_t outstanding_count() const;
  Accounting accounting() const;
  // From due to ended, cumulative.
  zokio::HistogramSnapshot latency() const { return latency_.snapshot(); }

 private:
  static constexpr size_t kSlots = 1 << 16;
  struct Early {
    model::JobId id;
    model::JobState state = model::JobState::Queued;
    int64_t at_ns = 0;
  };
  static size_t slot(const model::JobId& id, size_t slots);
  void count(uint64_t Accounting::* figure);
  void example(const model::JobId& id, const std::string& what);
  void settle(const model::JobId& id, model::JobState state, int64_t due_ns, int64_t now_ns);

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  Accounting books_;
  std::unordered_map<model::JobId, int64_t> open_;  // acknowledged, not ended: due_ns
  std::vector<model::JobId> done_;                  // by slot: ended lately
  std::vector<Early> early_;                        // by slot: ended before it was acknowledged
  std::map<std::string, std::string> checksums_;    // by key; as many as there are specs
  zokio::stats::Histogram latency_;
};

}  // namespace zokiod::soak
