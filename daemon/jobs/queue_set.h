// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which job starts next: the queues and what each may.
//
// Among the queues that have a job and may start one, those of the highest priority; among these
// stride scheduling (Waldspurger and Weihl, "Stride Scheduling", 1995): each start moves a queue's
// pass on by 1 / shares, and the least pass is next. A queue that had nothing, or that its own
// limits held back, comes in at the present and collects no claim meanwhile.
// A rate is the virtual scheduling form of the generic cell rate algorithm (ITU-T I.371): one
// instant for each queue, no timer that fills a bucket.
// Thread: guarded by the engine's lock. A lane lives until remove(), which needs it empty.

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/queue.h"
#include "jobs/stats.h"
#include "model/queue.h"
#include "zokio/base/clock.h"
#include "zokio/stats/histogram.h"

namespace zokiod::jobs {

// One queue with its jobs and its figures.
struct Lane {
  explicit Lane(model::QueueSpec s) : spec(s), asked(std::move(s)) {}

  model::QueueSpec spec;   // as it is in the store
  model::QueueSpec asked;  // with the changes that are being written
  uint32_t writes = 0;     // of it that are under way
  bool removing = false;   // its removal is being written: takes no jobs

  JobQueue waiting;
  uint64_t live = 0;                 // jobs that are not finished
  uint64_t running = 0;              // attempts from begin_start to their record
  std::array<uint64_t, 9> states{};  // jobs now, index: JobState
  uint64_t started = 0;
  uint64_t refused = 0;  // submits, by size_limit or drain
  zokio::stats::Histogram queue_wait_ns;

  // Fairness and rate.
  uint64_t pass = 0;
  bool present = false;     // was a candidate when it was last looked at
  zokio::Instant earned{};  // when the next start would be on time at the even rate
};

class QueueSet {
 public:
  struct Place {
    Lane* lane = nullptr;  // null: in no queue
    JobQueue::Place at;
  };
  struct Picked {
    model::JobId id;
    Place place;
  };

  QueueSet();  // with the default queue

  // Null: there is none.
  Lane* find(std::string_view name);
  const Lane* find(std::string_view name) const;
  Lane& add(model::QueueSpec spec);
  // Requires: no job refers to it.
  void remove(const std::string& name);

  Place push(Lane& lane, model::JobId id, int32_t priority, model::WallTime queued);
  void restore(const Place& place, model::JobId id, model::WallTime queued);
  void erase(const Place& place);

  // Takes the next job out. nullopt: none may start; then `later` is when a rate allows one again,
  // if only a rate is in the way.
  std::optional<Picked> pick(zokio::Instant now, zokio::Instant& later);

  size_t queued() const;
  model::WallTime oldest() const;
  QueueStats stats(const Lane& lane, zokio::Instant now) const;
  const std::map<std::string, std::unique_ptr<Lane>, std::less<>>& lanes() const { return lanes_; }
  std::string names() const;  // "default, bulk", for errors; bounded

 private:
  std::map<std::string, std::unique_ptr<Lane>, std::less<>> lanes_;
  uint64_t now_pass_ = 0;  // of the last start
};

}  // namespace zokiod::jobs
