// SPDX-License-Identifier: Apache-2.0
#pragma once

// A named queue: what it was told. How jobs are chosen among queues: jobs/queue_set.h.
// Thread: values.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/report.h"
#include "zokio/base/clock.h"

namespace zokiod::model {

// Where a job goes that names no queue. It is always there.
inline constexpr std::string_view kDefaultQueue = "default";

// The numbers are stored on disk: never renumbered.
enum class QueueMode : uint8_t {
  Active = 0,
  Paused = 1,    // takes jobs, starts none
  Draining = 2,  // starts what it has, takes none
};
std::string_view to_string(QueueMode mode);  // "active", "paused", "draining"

struct QueueSpec {
  std::string name;
  QueueMode mode = QueueMode::Active;
  int32_t priority = 0;             // queues of a higher one first; -100..100
  uint32_t shares = 100;            // of the starts, among queues of one priority that want some
  uint32_t concurrency = 0;         // jobs running at a time; 0: only the daemon's limit
  uint32_t size_limit = 0;          // jobs not finished; 0: only the daemon's limit
  uint32_t rate = 0;                // starts in each rate_interval; 0: as many as there are
  zokio::Duration rate_interval{};  // 0: one second
  uint32_t burst = 0;               // starts at once after a pause; 0: one
  std::string origin;               // the line of the configuration it came from; empty: a call
  friend bool operator==(const QueueSpec&, const QueueSpec&) = default;

  zokio::Duration interval() const {
    return rate_interval.count() > 0 ? rate_interval : zokio::Duration(std::chrono::seconds(1));
  }
};

// What a call changes; the rest stays.
struct QueuePatch {
  std::optional<QueueMode> mode;
  std::optional<int32_t> priority;
  std::optional<uint32_t> shares, concurrency, size_limit, rate, burst;
  std::optional<zokio::Duration> rate_interval;

  QueueSpec applied_to(QueueSpec spec) const;
};

// INVALID_FIELD with every violation.
Reported<> validate(const QueueSpec& spec);

template <class V>
void fields(V& v, QueueSpec& s) {
  v("mode", reinterpret_cast<uint8_t&>(s.mode));
  v("priority", s.priority);
  v("shares", s.shares);
  v("concurrency", s.concurrency);
  v("size_limit", s.size_limit);
  v("rate", s.rate);
  v("rate_interval_ns", s.rate_interval);
  v("burst", s.burst);
  v("origin", s.origin);
}

}  // namespace zokiod::model
