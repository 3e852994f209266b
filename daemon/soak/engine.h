// SPDX-License-Identifier: Apache-2.0
#pragma once

// The soak: hours of seeded mixed jobs through the engine's own entry while sizes change, one
// sample a second, and one verdict with its evidence.
//
// Load, sampling and resizing have a thread each that is no worker of the runtime: what is judged
// does not also hold the watch. Jobs go through jobs::Engine::submit like those of a client.
// Thread: every method from any thread.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "model/report.h"
#include "soak/figures.h"
#include "soak/plan.h"
#include "soak/record.h"
#include "soak/verdict.h"
#include "zokio/os/process_stats.h"
#include "zokio/runtime.h"

namespace zokiod::jobs {
class Engine;
}

namespace zokiod::soak {

struct EngineOptions {
  jobs::Engine* jobs = nullptr;       // outlives the soak engine
  zokio::Runtime* runtime = nullptr;  // outlives the soak engine
  std::string report_root;            // reports go to report_root/soak-<run>; made when needed
  bool allow_faults = false;          // soak.allow_faults of the configuration
  std::function<zokio::os::ProcessStats()> process;
  // A directory below which jobs may read files: the soak puts a small tree there for
  // file.checksum. Not set or empty: no such jobs. (exec is part of the load when the policy allows
  // it.)
  std::function<std::string()> checksum_root;
  // Resizes one component ("workers", "reactors", "pool.frames", "pool.buffers") as a client would,
  // blocking. Not set: straight on the runtime.
  std::function<zokio::Result<zokio::ResizeReport>(std::string_view, uint64_t)> resize;
  std::map<std::string, std::string> environment;  // goes into the report: version, revision, ...
};

struct Status {
  std::string run_id;
  bool running = false;
  std::string report_dir;
  Record record;    // without its samples
  Verdict verdict;  // of what is known so far
};

enum class Format : uint8_t { Html, Json, Markdown, Csv };

class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();  // shutdown()
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // One soak at a time. Errors: those of make_plan; SOAK_RUNNING (FailedPrecondition), DRAINING,
  // REPORT_DIR (the report directory cannot be made).
  model::Reported<Status> start(const StartRequest& request);
  // The current or last run. SOAK_NOT_FOUND: none, or another id than the one given.
  model::Reported<Status> status(std::string_view run_id) const;
  // Ends the load, settles and writes the report; returns at once, status() tells the end.
  model::Reported<Status> stop(std::string_view run_id, std::string reason);
  // The report as of the last write while it runs, final afterwards.
  model::Reported<std::string> report(std::string_view run_id, Format format) const;

  // Stops a running soak and waits for its threads. Idempotent.
  void shutdown(std::string reason);

  Figures figures() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zokiod::soak
