// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one worker counts. One writer (the worker), any reader; slots are never freed, so the
// figures go on where they stopped when a slot is used again.

#include "zokio/base/cache_line.h"
#include "zokio/stats/counter.h"
#include "zokio/stats/histogram.h"
#include "zokio/task/ledger.h"

namespace zokio::stats {

struct alignas(kCacheLine) WorkerShard {
  Counter polls;
  Counter parks;
  Counter noop_wakeups;
  Counter busy_ns;
  Counter steal_hits;
  Counter steal_empty;
  Counter steal_contended;
  Counter stolen_tasks;
  Counter local_overflows;
  Counter scheduled_local;
  Counter scheduled_io;
  Counter scheduled_timer;
  task::Ledger tasks;
  Histogram delay_ns;
  Histogram poll_ns;
};

}  // namespace zokio::stats
