// SPDX-License-Identifier: Apache-2.0
// The API, under the names that other gRPC servers use, so that existing rules and panels work.

#include "metrics/collect.h"

namespace zokiod::metrics {

void collect_rpc(Families& out, const Figures& figures) {
  const RpcFigures& rpc = figures.server.rpc;
  out.counter("grpc_server_handled_total", "Calls of the API that ended, by status code.");
  for (const RpcFigures::Method& m : rpc.methods) {
    for (const auto& [code, count] : m.handled) {
      // OK is there from the start; the others of 17 codes when they occur, else most series would
      // stay 0 forever.
      if (count == 0 && code != "OK") continue;
      out.add(count, {{"grpc_service", m.service}, {"grpc_method", m.method}, {"grpc_code", code}});
    }
  }
  out.histogram("grpc_server_handling_seconds", "From the request to the last byte of the answer.",
                io_buckets());
  for (const RpcFigures::Method& m : rpc.methods) {
    out.add(m.handling_ns, {{"grpc_service", m.service}, {"grpc_method", m.method}});
  }
  out.gauge("zokio_rpc_calls_active", "Calls of the API under way.").add(rpc.calls_active);
  out.counter("zokio_rpc_connections_total", "Connections to the socket, by what became of them.")
      .add(rpc.connections_accepted, {{"result", "accepted"}})
      .add(rpc.connections_refused, {{"result", "refused"}});
  out.counter("zokio_auth_denied_total", "Calls turned away, by reason.")
      .add(rpc.denied, {{"reason", "peer"}});
}

}  // namespace zokiod::metrics
