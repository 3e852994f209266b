// SPDX-License-Identifier: Apache-2.0
//
// The echo server and the file reads on zokio: a task for each connection, a task for each read
// that is under way; one worker, which hosts its reactor.
//
//   ZOKIO_BENCH_BACKEND=uring|epoll chooses the backend.

#include <fcntl.h>
#include <zokio/fs/file.h>
#include <zokio/mem/registered.h>
#include <zokio/net/tcp_listener.h>

#include "reads.h"
#include "wire.h"
#include "zokio_runtime.h"

namespace {

using bench::io::Reads;
using zokio::Result;
using zokio::Task;
using zokio::net::TcpListener;
using zokio::net::TcpStream;

// Small messages: a connection that waits holds no buffer.
Task<void> serve_small(TcpStream stream) {
  while (true) {
    auto got = co_await stream.receive();
    if (!got || got->size() == 0) break;
    zokio::IoResult put = co_await stream.write_all(*std::move(got));
    if (!put.n) break;
  }
}

Task<void> serve(TcpStream stream, unsigned message) {
  auto buffer = zokio::mem::lease(bench::io::buffer_bytes(message));
  if (!buffer) co_return;
  while (true) {
    zokio::IoResult got = co_await stream.read(std::move(*buffer));
    if (!got.n || *got.n == 0) break;
    zokio::IoResult put = co_await stream.write_all(std::move(got.buffer));
    if (!put.n) break;
    *buffer = std::move(put.buffer);
  }
}

Task<void> listen(TcpListener* listener, unsigned message) {
  while (true) {
    Result<TcpStream> stream = co_await listener->accept();
    if (!stream) continue;
    if (message <= 4096)
      zokio::spawn(&serve_small, std::move(*stream)).detach();
    else
      zokio::spawn(&serve, std::move(*stream), message).detach();
  }
}

void echo(unsigned message) {
  auto runtime = bench::io::start(1);
  auto listener = TcpListener::bind(zokio::net::Address::loopback(0), {.backlog = 4096});
  if (!listener) bench::io::die("bind");
  runtime->spawn(&listen, &*listener, message).detach();
  bench::io::announce(listener->local_address()->port());
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  bench::io::report_and_exit();
}

Task<uint64_t> read_some(zokio::fs::File* file, Reads* reads) {
  uint64_t sum = 0;
  auto buffer = zokio::mem::lease_registered(bench::io::kBlock);
  if (!buffer) co_return 0;
  while (const auto block = reads->next()) {
    zokio::IoResult got = co_await file->read_at(std::move(*buffer), *block * bench::io::kBlock);
    if (!got.n || *got.n != bench::io::kBlock) co_return 0;
    sum += bench::io::number_in(got.buffer.data());
    *buffer = std::move(got.buffer);
  }
  co_return sum;
}

Task<uint64_t> read_all(std::string path, bool direct, unsigned depth, Reads* reads) {
  auto file = co_await zokio::fs::File::open(path, {.direct = direct});
  if (!file) co_return 0;
  std::vector<zokio::JoinHandle<uint64_t>> readers;
  for (unsigned i = 0; i < depth; ++i) readers.push_back(zokio::spawn(&read_some, &*file, reads));
  uint64_t sum = 0;
  for (auto& reader : readers) sum += (co_await reader).value_or(0);
  co_return sum;
}

int read_blocks(const char* path, bool direct, unsigned depth, uint64_t count) {
  auto runtime = bench::io::start(1);
  return bench::io::time_reads(path, count, [&](Reads& reads) {
    return runtime->block_on(&read_all, std::string(path), direct, depth, &reads).value_or(0);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const auto number = [&](int i) { return std::strtoul(argv[i], nullptr, 10); };
  if (what == "list" && argc == 2) {
    std::puts("echo\nread");
    return 0;
  }
  if (what == "echo" && argc == 3) echo(static_cast<unsigned>(number(2)));
  if (what == "read" && argc == 6)
    return read_blocks(argv[2], number(3) != 0, static_cast<unsigned>(number(4)), number(5));
  return 2;
}
