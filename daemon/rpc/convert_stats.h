// SPDX-License-Identifier: Apache-2.0
#pragma once

// Snapshots -> the message Stats. Thread: pure functions.

#include <zokio/v1/stats.pb.h>

#include "jobs/stats.h"
#include "rpc/call_stats.h"
#include "zokio/os/process_stats.h"
#include "zokio/stats/snapshot.h"

namespace zokiod::rpc {

::zokio::v1::DurationSummary summary_of(const zokio::HistogramSnapshot& histogram);
// Scheduler, pools and I/O.
void write_runtime(::zokio::v1::Stats& out, const zokio::RuntimeSnapshot& snapshot);
void write_jobs(::zokio::v1::JobsStats& out, const jobs::EngineStats& stats);
void write_process(::zokio::v1::ProcessStats& out, const zokio::os::ProcessStats& stats);
void write_rpc(::zokio::v1::RpcStats& out, const ServerStats& stats);

}  // namespace zokiod::rpc
