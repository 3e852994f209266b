// SPDX-License-Identifier: Apache-2.0

// Sends back what comes, to any number of clients. SIGTERM and SIGINT end it in good order.
//   echo_server [port]

#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "zokio/io/copy.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/signal/signal.h"
#include "zokio/zokio.h"

using namespace zokio;

// The stream is both ends of the copy.
Task<void> echo(net::TcpStream stream) {
  auto buffer = mem::lease(16 << 10);
  if (!buffer.has_value()) co_return;  // at the memory limit: this client goes
  co_await io::copy(stream, stream, *std::move(buffer));
}

Task<Result<void>> serve(Scope& scope, net::TcpListener* listener) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (stream.has_value()) {
      scope.spawn(&echo, *std::move(stream)).detach();
      continue;
    }
    if (stream.error().code == Errc::Cancelled) co_return fail(stream.error());
    // Out of descriptors, or a client that went at once: take a breath and go on.
    ZOKIO_CO_CHECKED(co_await sleep(std::chrono::milliseconds(10)));
  }
}

Task<Result<void>> until_asked(signal::Signals* signals) {
  ZOKIO_CO_CHECKED(co_await signals->next());
  co_return Result<void>();
}

Task<Result<void>> run(uint16_t port) {
  ZOKIO_CO_TRY(auto signals, signal::Signals::open({SIGTERM, SIGINT}));
  ZOKIO_CO_TRY(auto listener, net::TcpListener::bind(net::Address::loopback(port)));
  ZOKIO_CO_TRY(const auto address, listener.local_address());
  std::printf("listening on %s\n", address.to_string().c_str());
  std::fflush(stdout);
  // The first to end cancels the other; nobody is left behind.
  auto ended = co_await race(with_scope(&serve, &listener), until_asked(&signals));
  co_return std::get<1>(ended.outcomes);
}

int main(int argc, char** argv) {
  signal::block({SIGTERM, SIGINT});  // before any thread
  auto runtime = Runtime::create();
  if (!runtime.has_value()) return 1;
  const auto port = static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  auto done = (*runtime)->block_on(&run, port);
  if (done.has_value()) return 0;
  std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
  return 1;
}
