// SPDX-License-Identifier: Apache-2.0
#include "jobs/queue.h"

namespace zokiod::jobs {

JobQueue::Place JobQueue::push(model::JobId id, int32_t priority, model::WallTime queued) {
  const Place place{-priority, next_order_++};
  waiting_.emplace(place, Waiting{id, queued});
  return place;
}

void JobQueue::restore(Place place, model::JobId id, model::WallTime queued) {
  waiting_.emplace(place, Waiting{id, queued});
}

std::optional<model::JobId> JobQueue::pop() {
  if (waiting_.empty()) return std::nullopt;
  const model::JobId id = waiting_.begin()->second.id;
  waiting_.erase(waiting_.begin());
  return id;
}

bool JobQueue::erase(Place place) {
  return waiting_.erase(place) == 1;
}

// The first of each priority is the oldest of it: one step for each priority in use.
model::WallTime JobQueue::oldest() const {
  model::WallTime oldest;
  for (auto it = waiting_.begin(); it != waiting_.end();
       it = waiting_.lower_bound(Place{it->first.rank + 1, 0})) {
    if (!oldest.is_set() || it->second.queued < oldest) oldest = it->second.queued;
  }
  return oldest;
}

}  // namespace zokiod::jobs
