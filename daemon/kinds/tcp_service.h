// SPDX-License-Identifier: Apache-2.0
#pragma once

// A job that listens: what tcp.echo and tcp.proxy have in common.
//
//   listen -> accept, up to the limit -> told to stop: listen no more, let connections end by
//   themselves for `drain`, cut the others -> Cancelled
//
// It ends only when it is told to, or when it cannot listen. Its note says the address, and the
// connections; its progress is the bytes moved. Thread: one task, and one for each connection.

#include <atomic>
#include <memory>
#include <string>

#include "kinds/kind.h"
#include "zokio/net/tcp_listener.h"

namespace zokiod::kinds {

struct TcpServiceOptions {
  std::string listen;            // "127.0.0.1:0"
  uint32_t connections_max = 0;  // 0: 1000
  zokio::Duration idle{};        // a connection without a byte for so long is cut; 0: never
  zokio::Duration drain{};       // 0: 5 s
};

struct TcpService {
  explicit TcpService(JobContext& c, TcpServiceOptions o) : context(c), options(std::move(o)) {}

  JobContext& context;
  const TcpServiceOptions options;
  std::string address;  // that it listens on; set before the first connection
  // Any task, atomic.
  std::atomic<uint64_t> accepted{0}, open{0}, refused{0}, failed{0}, bytes{0};

  void moved(size_t n) { context.progress(bytes.fetch_add(n, std::memory_order_relaxed) + n, 0); }
};

// Serves one connection; an error is counted as a failed connection. Cancel: ends at once.
using TcpHandler = zokio::Task<zokio::Result<void>> (*)(TcpService* service,
                                                        zokio::net::TcpStream* stream);

zokio::Task<model::Reported<Finished>> run_tcp_service(JobContext& context,
                                                       TcpServiceOptions options,
                                                       TcpHandler handler);

// Moves bytes until `from` ends, then says so to `to`. `last`: the time of the last byte in either
// direction, in ns; a read that waits longer than the idle time looks there before it gives up.
zokio::Task<zokio::Result<void>> pump(TcpService* service, zokio::net::TcpStream* from,
                                      zokio::net::TcpStream* to, std::atomic<int64_t>* last);

void check_listen(std::string_view text, std::string field, Violations& out);
void check_span(zokio::Duration span, std::string field, Violations& out);
// Requires: check_listen was content.
model::Reported<> authorize_listen(const std::string& listen, const Policy& policy);

}  // namespace zokiod::kinds
