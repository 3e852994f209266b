// SPDX-License-Identifier: Apache-2.0

// Everybody hears what anybody says, line by line (try it with nc). Who listens too slowly misses
// lines, and is told how many.
//   chat [port]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "zokio/io/buffered.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/sync/broadcast.h"
#include "zokio/zokio.h"

using namespace zokio;
using Line = std::shared_ptr<const std::string>;  // one copy for all
using Everybody = sync::BroadcastSender<Line>;

Task<Result<void>> hear(net::TcpStream* stream, sync::BroadcastReceiver<Line> lines) {
  for (;;) {
    auto line = co_await lines.recv();
    if (!line.has_value() && line.error().missed == 0) co_return fail(line.error());
    const std::string text = line.has_value()
                                 ? **line + "\n"
                                 : "... " + std::to_string(line.error().missed) + " missed\n";
    ZOKIO_CO_TRY(auto buffer, mem::lease(text.size()));
    std::ranges::copy(as_bytes(text), buffer.data());
    buffer.resize(text.size());
    IoResult sent = co_await stream->write_all(std::move(buffer));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
  }
}

Task<Result<void>> say(net::TcpStream* stream, Everybody* everybody) {
  ZOKIO_CO_TRY(auto buffer, mem::lease(4096));
  io::BufferedReader in(*stream, std::move(buffer));
  for (;;) {
    ZOKIO_CO_TRY(auto line, co_await in.next_line());
    if (!line.has_value()) co_return Result<void>();
    everybody->send(std::make_shared<const std::string>(*std::move(line)));
  }
}

// A client has gone when either direction has ended: that cancels the other.
Task<void> meet(net::TcpStream stream, Everybody* everybody) {
  co_await race(hear(&stream, everybody->subscribe()), say(&stream, everybody));
}

Task<Result<void>> serve(Scope& scope, net::TcpListener* listener, Everybody* everybody) {
  for (;;) {
    ZOKIO_CO_TRY(auto stream, co_await listener->accept());
    scope.spawn(&meet, std::move(stream), everybody).detach();
  }
}

Task<Result<void>> run(uint16_t port) {
  ZOKIO_CO_TRY(auto listener, net::TcpListener::bind(net::Address::loopback(port)));
  std::printf("listening on %s\n", listener.local_address()->to_string().c_str());
  std::fflush(stdout);
  auto [everybody, unused] = sync::broadcast<Line>(256);
  co_return co_await with_scope(&serve, &listener, &everybody);
}

int main(int argc, char** argv) {
  auto runtime = Runtime::create();
  if (!runtime.has_value()) return 1;
  const auto port = static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  return (*runtime)->block_on(&run, port).has_value() ? 0 : 1;
}
