// SPDX-License-Identifier: Apache-2.0
//
// The echo server on Asio, with coroutines, on one thread (a concurrency hint of 1).

#include <asio.hpp>

#include "wire.h"

namespace {

using asio::awaitable;
using asio::ip::tcp;

awaitable<void> serve(tcp::socket socket, unsigned message) {
  std::vector<char> buffer(bench::io::buffer_bytes(message));
  asio::error_code error;
  while (true) {
    const std::size_t n = co_await socket.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    co_await asio::async_write(socket, asio::buffer(buffer.data(), n),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
  }
}

awaitable<void> listen(tcp::acceptor& acceptor, unsigned message) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), message), asio::detached);
  }
}

awaitable<void> end_with_input(asio::posix::stream_descriptor& input) {
  char byte = 0;
  asio::error_code error;
  co_await input.async_read_some(asio::buffer(&byte, 1),
                                 asio::redirect_error(asio::use_awaitable, error));
  bench::io::report_and_exit();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "list") {
    std::puts("echo");
    return 0;
  }
  if (argc != 3) return 2;
  const auto message = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
  asio::io_context context(1);
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  acceptor.listen(4096);
  asio::posix::stream_descriptor input(context, STDIN_FILENO);
  asio::co_spawn(context, listen(acceptor, message), asio::detached);
  asio::co_spawn(context, end_with_input(input), asio::detached);
  bench::io::announce(acceptor.local_endpoint().port());
  context.run();
}
