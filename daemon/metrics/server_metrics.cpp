// SPDX-License-Identifier: Apache-2.0
// What the daemon is, its state and its configuration.

#include <array>

#include "metrics/build_info.h"
#include "metrics/collect.h"

namespace zokiod::metrics {
namespace {

constexpr std::array kServerStates = {ServerState::Starting, ServerState::Serving,
                                      ServerState::Degraded, ServerState::Draining,
                                      ServerState::Stopping};

double seconds(int64_t unix_ms) {
  return static_cast<double>(unix_ms) / 1e3;
}

void collect_resizes(Families& out, const ServerFigures& server) {
  out.counter("zokio_resize_operations_total", "Live resizes, by direction and result.");
  for (const ServerFigures::Resize& r : server.resizes) {
    const auto labels = [&r](const char* direction, const char* result) {
      return Labels{{"component", r.component}, {"direction", direction}, {"result", result}};
    };
    out.add(r.up_ok, labels("up", "ok")).add(r.up_failed, labels("up", "failed"));
    out.add(r.down_ok, labels("down", "ok")).add(r.down_failed, labels("down", "failed"));
  }
  out.gauge("zokio_config_last_change_timestamp_seconds",
            "When a component was last resized (unix time); 0 when never.");
  for (const ServerFigures::Resize& r : server.resizes) {
    out.add(seconds(r.last_unix_ms), {{"component", r.component}});
  }
}

}  // namespace

std::string_view to_string(ServerState state) {
  switch (state) {
    case ServerState::Starting:
      return "starting";
    case ServerState::Serving:
      return "serving";
    case ServerState::Degraded:
      return "degraded";
    case ServerState::Draining:
      return "draining";
    case ServerState::Stopping:
      return "stopping";
  }
  return "unknown";
}

void collect_server(Families& out, const Figures& figures) {
  const ServerFigures& server = figures.server;
  out.gauge("zokio_build_info", "Always 1: what this program was built from.")
      .add(uint64_t{1}, {{"version", kVersion}, {"revision", kRevision}, {"compiler", kCompiler}});
  out.gauge("zokio_server_state", "1 for the state the server is in.");
  for (const ServerState state : kServerStates) {
    out.add(uint64_t{server.state == state}, {{"state", std::string(to_string(state))}});
  }
  out.gauge("zokio_config_generation", "Number of the configuration in force; grows by change.")
      .add(server.config_generation);
  out.gauge("zokio_config_last_reload_successful", "1 when the last reload succeeded.")
      .add(uint64_t{server.last_reload_ok});
  out.gauge("zokio_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded with success (unix time).")
      .add(seconds(server.last_reload_unix_ms));
  collect_resizes(out, server);
}

}  // namespace zokiod::metrics
