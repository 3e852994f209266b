// SPDX-License-Identifier: Apache-2.0

// How long a byte takes to an echo server and back: median, 99 of 100, and the longest.
//   latency_probe HOST PORT [COUNT]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "zokio/net/tcp_stream.h"
#include "zokio/zokio.h"

using namespace zokio;

Task<Result<std::vector<double>>> probe(std::string host, uint16_t port, unsigned count) {
  // Names with several addresses: the first that answers.
  ZOKIO_CO_TRY(auto stream, co_await with_timeout(net::TcpStream::connect_host(host, port),
                                                  std::chrono::seconds(5)));
  ZOKIO_CO_TRY(mem::Buffer buffer, mem::lease(1));
  buffer.data()[0] = std::byte{'x'};
  buffer.resize(1);
  std::vector<double> micros;
  for (unsigned i = 0; i < count; ++i) {
    const Instant before = Instant::now();
    IoResult sent = co_await stream.write_all(std::move(buffer));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
    // A read carries its own error: the buffer comes back also when the time is up.
    ZOKIO_CO_TRY(IoResult got, co_await with_timeout(stream.read_exactly(std::move(sent.buffer), 1),
                                                     std::chrono::seconds(5)));
    if (!got.n.has_value()) co_return fail(got.n.error());
    micros.push_back(std::chrono::duration<double, std::micro>(Instant::now() - before).count());
    buffer = std::move(got.buffer);
  }
  ZOKIO_CO_CHECKED(co_await stream.close());
  co_return micros;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "latency_probe HOST PORT [COUNT]\n");
    return 2;
  }
  auto runtime = Runtime::create();
  if (!runtime.has_value()) return 1;
  const auto port = static_cast<uint16_t>(std::atoi(argv[2]));
  const auto count = static_cast<unsigned>(argc > 3 ? std::max(std::atoi(argv[3]), 1) : 1000);
  auto micros = (*runtime)->block_on(&probe, std::string(argv[1]), port, count);
  if (!micros.has_value()) {
    std::fprintf(stderr, "%s\n", micros.error().to_string().c_str());
    return 1;
  }
  std::ranges::sort(*micros);
  std::printf("%zu round trips: p50 %.1f us, p99 %.1f us, max %.1f us\n", micros->size(),
              (*micros)[micros->size() / 2], (*micros)[micros->size() * 99 / 100], micros->back());
  return 0;
}
