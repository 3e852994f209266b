// SPDX-License-Identifier: Apache-2.0
#pragma once

// What runs next: the highest priority first, and within one priority the order of arrival.
// Thread: guarded by the engine's lock.

#include <cstdint>
#include <map>
#include <optional>

#include "model/job.h"

namespace zokiod::jobs {

class JobQueue {
 public:
  // Where a job stands; names it for erase().
  struct Place {
    int32_t rank = 0;    // minus the priority: the map sorts upwards
    uint64_t order = 0;  // 0: in no queue
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  Place push(model::JobId id, int32_t priority, model::WallTime queued);
  // Back to where it was, for a start that could not be written.
  void restore(Place place, model::JobId id, model::WallTime queued);
  std::optional<model::JobId> pop();
  // Of the job that pop() takes. Requires: there is one.
  Place front() const { return waiting_.begin()->first; }
  // Whether it was there.
  bool erase(Place place);

  size_t size() const { return waiting_.size(); }
  // When the job that waits longest came; not set when the queue is empty.
  model::WallTime oldest() const;

 private:
  struct Waiting {
    model::JobId id;
    model::WallTime queued;
  };
  std::map<Place, Waiting> waiting_;
  uint64_t next_order_ = 1;
};

}  // namespace zokiod::jobs
