// SPDX-License-Identifier: Apache-2.0
#pragma once

// The daemon as one object: owns every subsystem, starts them in order, stops them in reverse.
// daemon.cpp is the story of how zokiod comes up and goes down; read it from the top.
// Thread: start and run on the main thread; the handlers it gives to others say their own.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "config/load.h"
#include "config/reload.h"
#include "http/server.h"
#include "jobs/engine.h"
#include "lifecycle/signals.h"
#include "lifecycle/systemd.h"
#include "metrics/figures.h"
#include "model/report.h"
#include "rpc/runtime_control.h"
#include "rpc/server.h"
#include "soak/engine.h"
#include "store/store.h"
#include "zokio/runtime.h"

namespace zokiod {

// What `zokiod` returns to who started it. Documented in README.md.
enum class Exit : int {
  Stopped = 0,        // asked to stop, and drained
  Failed = 1,         // could not start: store, sockets, runtime
  Configuration = 2,  // configuration or command line
  Forced = 3,         // asked twice, and something did not end in time
};

struct DaemonOptions {
  config::Request request;  // where the configuration came from: a reload asks there again
  config::Config config;    // what it said
  bool ephemeral = false;   // jobs live in memory only
};

class Daemon {
 public:
  // Serves when it returns; ready was told to systemd.
  static model::Reported<std::unique_ptr<Daemon>> start(DaemonOptions options);
  ~Daemon();
  // Until a signal asks to stop; then drains and stops everything.
  Exit run();

 private:
  explicit Daemon(DaemonOptions options);

  // The boot, step by step.
  model::Reported<> take_over();
  model::Reported<> make_directories();
  model::Reported<> start_runtime();
  model::Reported<> start_jobs();
  model::Reported<> start_http();
  model::Reported<> start_rpc();
  model::Reported<> start_signals();
  void start_keeper();

  // While it serves.
  void keep();  // the keeper thread
  void tick();
  void on_stop_signal(int signal, unsigned times);
  model::Reported<config::Diff> reload(bool validate_only);
  model::Reported<> apply(const config::Config& to, const config::Diff& diff);
  zokio::Result<zokio::ResizeReport> resize(std::string_view component, uint64_t value);
  void shut_down();

  // What others are shown. Thread: any.
  http::Health live() const;
  http::Health ready() const;
  metrics::RpcFigures rpc_figures() const;  // requires: start_rpc is done
  metrics::ServerFigures server_figures() const;
  metrics::Sources sources() const;
  std::string status_line() const;

  // Constant after start().
  const config::Request request_;
  const bool ephemeral_;
  const int64_t start_unix_ms_;
  int listen_fd_ = -1;
  unsigned default_workers_ = 0, default_reactors_ = 0;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  config::Config config_;
  bool last_reload_ok_ = true;
  int64_t last_reload_unix_ms_;
  std::string last_status_;
  bool stop_asked_ = false;
  bool stopping_ = false;
  bool keeper_quits_ = false;
  std::condition_variable wake_;
  std::mutex reload_mutex_;  // one reload at a time

  // In the order of the boot; destroyed the other way round.
  lifecycle::Notifier notifier_;
  std::unique_ptr<store::Store> store_;  // before the runtime: its tasks use it to the end
  std::unique_ptr<zokio::Runtime> runtime_;
  std::unique_ptr<jobs::Engine> engine_;
  std::unique_ptr<rpc::RuntimeControl> control_;
  std::unique_ptr<soak::Engine> soak_;
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<rpc::Server> rpc_;
  std::thread keeper_;
  std::unique_ptr<lifecycle::SignalThread> signals_;
};

}  // namespace zokiod
