// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one HTTP port: /metrics, /livez, /readyz, /api/v1/stats and the status page.
//
// It only reads. GET and HEAD are answered, everything else is 405, so that a stray request can
// never change anything. What is shown comes from callbacks, so the server knows no subsystem.
// Thread: the callbacks are called from the server's own threads, several at a time; they must be
// safe to call from start() until stop() has returned.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "zokio/base/result.h"

namespace zokiod::http {

// An answer to "are you alive" or "do you take work": yes, or no with every reason.
struct Health {
  bool ok = true;
  std::vector<std::string> reasons;  // one line each; also allowed when ok, as remarks
};

struct Handlers {
  std::function<std::string()> metrics_text;  // Prometheus text format, version 0.0.4
  std::function<std::string()> stats_json;    // one JSON document
  std::function<Health()> live;               // 200 or 503
  std::function<Health()> ready;              // 200 or 503
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address, not a name
  uint16_t port = 9464;            // 0: any free port, see Server::port()
};

class Server {
 public:
  // Binds, starts the threads and serves. Every handler must be set.
  // Errors: Unavailable (the address is taken or not ours; os_errno says which).
  static zokio::Result<std::unique_ptr<Server>> start(const ServerOptions& options,
                                                      Handlers handlers);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Stops accepting, finishes the requests under way, joins the threads (at most about 2 s: an idle
  // kept-alive connection is noticed when its timeout ends). Safe to call twice.
  void stop();
  // The port really bound.
  uint16_t port() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace zokiod::http
