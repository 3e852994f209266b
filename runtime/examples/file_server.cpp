// SPDX-License-Identifier: Apache-2.0

// The files of a directory over HTTP/1.1: GET, kept connections, no copy of the content.
//   file_server [directory] [port]

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "zokio/fs/file.h"
#include "zokio/io/buffered.h"
#include "zokio/net/send_file.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/zokio.h"

using namespace zokio;

// True: the next request may come.
Task<Result<bool>> answer(net::TcpStream* to, std::string_view status, uint64_t length) {
  const std::string head = "HTTP/1.1 " + std::string(status) +
                           "\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  ZOKIO_CO_TRY(auto buffer, mem::lease(head.size()));
  io::BufferedWriter out(*to, std::move(buffer));
  ZOKIO_CO_CHECKED(co_await out.write(head));
  ZOKIO_CO_CHECKED(co_await out.flush());
  co_return true;
}

// One request; false when the client is done.
Task<Result<bool>> request(io::BufferedReader<net::TcpStream>* in, net::TcpStream* stream,
                           const fs::File* root) {
  ZOKIO_CO_TRY(auto line, co_await with_timeout(in->next_line(8192), std::chrono::seconds(30)));
  if (!line.has_value()) co_return false;
  for (;;) {  // nothing in the headers matters here
    ZOKIO_CO_TRY(auto header, co_await in->next_line(8192));
    if (!header.has_value() || header->empty()) break;
  }
  if (!line->starts_with("GET /")) co_return co_await answer(stream, "405 Method Not Allowed", 0);
  // Beneath the directory and nowhere else, whatever the path says.
  auto file = co_await fs::File::open_beneath(*root, line->substr(5, line->find(' ', 5) - 5),
                                              {.regular_only = true});
  if (!file.has_value()) co_return co_await answer(stream, "404 Not Found", 0);
  ZOKIO_CO_TRY(const auto metadata, co_await file->stat());
  ZOKIO_CO_CHECKED(co_await answer(stream, "200 OK", metadata.size));
  ZOKIO_CO_TRY(const uint64_t n,
               co_await net::send_file(stream->fd(), file->fd(), 0, metadata.size));
  co_return n == metadata.size;
}

Task<void> talk(net::TcpStream stream, const fs::File* root) {
  auto buffer = mem::lease(8192);
  if (!buffer.has_value()) co_return;
  io::BufferedReader in(stream, *std::move(buffer));
  Result<bool> more = true;
  while (more.has_value() && *more) more = co_await request(&in, &stream, root);
}

Task<Result<void>> serve(Scope& scope, net::TcpListener* listener, const fs::File* root) {
  for (;;) {
    ZOKIO_CO_TRY(auto stream, co_await listener->accept());
    scope.spawn(&talk, std::move(stream), root).detach();
  }
}

Task<Result<void>> run(std::string directory, uint16_t port) {
  ZOKIO_CO_TRY(auto root, co_await fs::File::open(directory, {.directory = true}));
  ZOKIO_CO_TRY(auto listener, net::TcpListener::bind(net::Address::loopback(port)));
  std::printf("listening on %s\n", listener.local_address()->to_string().c_str());
  std::fflush(stdout);
  co_return co_await with_scope(&serve, &listener, &std::as_const(root));
}

int main(int argc, char** argv) {
  auto runtime = Runtime::create();
  if (!runtime.has_value()) return 1;
  const auto port = static_cast<uint16_t>(argc > 2 ? std::atoi(argv[2]) : 0);
  return (*runtime)->block_on(&run, std::string(argc > 1 ? argv[1] : "."), port) ? 0 : 1;
}
