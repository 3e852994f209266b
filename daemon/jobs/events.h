// SPDX-License-Identifier: Apache-2.0
#pragma once

// The change feed: the last events in one ring, and a cursor for each watcher.
//
// Revisions are given under the engine's lock, in the order in which the changes became durable, so
// that a list and a watch that starts right behind it miss nothing.
// Thread: any; the feed has a lock of its own, taken inside the engine's.

#include <deque>
#include <memory>
#include <mutex>
#include <set>

#include "jobs/engine.h"
#include "zokio/sync/oneshot.h"

namespace zokiod::jobs {

class EventFeed : public std::enable_shared_from_this<EventFeed> {
 public:
  // `revision` is that of the last event of the past. An engine starts at the microseconds of the
  // wall clock, so that a watcher who resumes after a restart is told, and never gets other events.
  EventFeed(size_t history_max, uint64_t revision)
      : history_max_(history_max), revision_(revision) {}

  // Gives the event its revision and wakes who waits.
  uint64_t publish(JobEvent event);
  uint64_t revision() const;
  // Ends every wait with STOPPING, now and later.
  void stop();

  Reported<std::unique_ptr<Subscription>> subscribe(WatchOptions options);
  size_t subscribers() const;
  uint64_t lagged() const;

 private:
  class Cursor;

  const size_t history_max_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<JobEvent> history_;
  uint64_t revision_;  // of the last event
  uint64_t lagged_ = 0;
  bool stopped_ = false;
  std::set<Cursor*> cursors_;
};

}  // namespace zokiod::jobs
