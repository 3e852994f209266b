// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything that is exported, as plain values of one moment. The exporter turns a Figures into
// metrics and the status page turns it into JSON, so the two never disagree and a test can feed
// both without a daemon. Thread: values.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jobs/stats.h"
#include "soak/figures.h"
#include "zokio/os/process_stats.h"
#include "zokio/stats/snapshot.h"

namespace zokiod::metrics {

enum class ServerState : uint8_t { Starting, Serving, Degraded, Draining, Stopping };

std::string_view to_string(ServerState state);

// The API. Names of services and methods are those of proto/.
struct RpcFigures {
  struct Method {
    std::string service;                                    // "zokio.v1.JobService"
    std::string method;                                     // "SubmitJob"
    std::vector<std::pair<std::string, uint64_t>> handled;  // by code: "OK", "NOT_FOUND", ...
    zokio::HistogramSnapshot handling_ns;
  };
  std::vector<Method> methods;
  uint64_t calls_active = 0;
  uint64_t denied = 0;  // calls of users that may not use the socket
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;
};

// What the daemon itself knows: its state, its configuration and the resizes it was asked for.
struct ServerFigures {
  ServerState state = ServerState::Starting;
  uint64_t config_generation = 0;
  bool last_reload_ok = true;
  int64_t last_reload_unix_ms = 0;  // of the last one that succeeded; the start counts

  // One for each component that can be resized ("workers", "reactors", "pool.frames", ...), from
  // the start.
  struct Resize {
    std::string component;
    uint64_t up_ok = 0;
    uint64_t up_failed = 0;
    uint64_t down_ok = 0;
    uint64_t down_failed = 0;
    int64_t last_unix_ms = 0;  // 0: never
  };
  std::vector<Resize> resizes;
  RpcFigures rpc;
};

struct Figures {
  int64_t unix_ms = 0;  // when they were taken
  zokio::RuntimeSnapshot runtime;
  zokio::os::ProcessStats process;
  jobs::EngineStats jobs;
  soak::Figures soak;
  ServerFigures server;
};

// Where the figures come from. All are called at each scrape, from the scraping thread.
struct Sources {
  std::function<zokio::RuntimeSnapshot()> runtime;
  std::function<zokio::os::ProcessStats()> process;
  std::function<jobs::EngineStats()> jobs;
  std::function<soak::Figures()> soak;
  std::function<ServerFigures()> server;
};

Figures gather(const Sources& sources);

}  // namespace zokiod::metrics
