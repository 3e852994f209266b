// SPDX-License-Identifier: Apache-2.0
#pragma once

// The gRPC server on the unix socket. No gRPC type is named here, so the rest of the daemon does
// not pay for its headers.
//
// Who is asking comes from the kernel: a thread of ours accepts, reads SO_PEERCRED, and hands the
// connection to gRPC. Once it has it, gRPC can say no more of a connection than "fd:12", a number
// that is used again as soon as it is closed. So each identity has a gRPC server of its own, whose
// handlers are made for that identity: they cannot mix it up (identities.h).
//
// Order: start after the engine, stop before it. Thread: every method from any thread but workers.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/reload.h"
#include "jobs/engine.h"
#include "model/job.h"
#include "model/report.h"
#include "rpc/call_stats.h"
#include "rpc/runtime_control.h"
#include "zokio/os/process_stats.h"

namespace grpc {
class Service;
}
namespace zokio {
class Runtime;
}

namespace zokiod::rpc {

struct ServerOptions {
  std::string socket_path;  // made, and removed at the stop
  uint32_t socket_mode = 0660;
  std::string socket_group;  // empty: the group of the process
  // From socket activation: a listening unix socket, taken over. Mode and group stay as they are.
  int listen_fd = -1;
  uint64_t message_limit_bytes = 4ull << 20;
  bool reflection = true;
  // Besides root, the daemon's own user, and members of the socket's group.
  std::vector<uint32_t> allowed_uids;
  std::vector<uint32_t> allowed_gids;

  // What GetServerInfo says.
  std::string version;
  std::string revision;
  std::string compiler;
  std::string config_path;  // empty: no file
};

struct CallEnvironment;  // call.h
// Makes the handlers of one more service for one identity (the soak service). `environment` lives
// as long as the service.
using ServiceFactory = std::function<std::shared_ptr<grpc::Service>(const CallEnvironment&)>;

// Everything outlives the server.
struct Dependencies {
  zokio::Runtime* runtime = nullptr;
  jobs::Engine* engine = nullptr;
  RuntimeControl* control = nullptr;
  std::function<zokio::os::ProcessStats()> process;
  // Reads the configuration again and applies it, or only checks it. The whole reload is refused
  // when a changed key needs a restart (RESTART_REQUIRED) or the file is wrong (CONFIG_INVALID).
  // Thread: a thread that may block.
  std::function<model::Reported<config::Diff>(bool validate_only)> reload;
  // Tells the rest of the daemon that a drain was asked for (readiness, status). Must not block.
  std::function<void(zokio::Duration deadline, const std::string& reason)> on_drain;
  std::vector<ServiceFactory> more_services;
};

class Server {
 public:
  // Listens and serves when it returns. Errors: the socket is in use by a living server, the
  // directory is missing, no such group.
  static model::Reported<std::unique_ptr<Server>> start(ServerOptions options,
                                                        Dependencies dependencies);
  ~Server();

  // Takes no more connections, lets calls end for `grace`, cancels the rest and waits for them.
  // Idempotent. Not from a worker: calls need the workers to end.
  void stop(zokio::Duration grace);

  // Health: "" and "zokio.v1.JobService" follow `ready` (accepting jobs), "zokio.live" follows
  // `live`. Both start as true; a Drain call sets ready to false by itself.
  void set_ready(bool ready);
  void set_live(bool live);
  // Who may connect from now on; connections that are open stay.
  void set_allowed(std::vector<uint32_t> uids, std::vector<uint32_t> gids);

  ServerStats stats() const;
  const std::string& socket_path() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace zokiod::rpc
