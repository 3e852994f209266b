// SPDX-License-Identifier: Apache-2.0
//
// The echo server on libuv: one loop, a write tried at once before it is queued.

#include <uv.h>

#include <vector>

#include "wire.h"

namespace {

unsigned message_bytes;

struct Peer {
  uv_tcp_t socket{};
  std::vector<char> buffer = std::vector<char>(bench::io::buffer_bytes(message_bytes));
};

struct Answer {
  uv_write_t request{};
  std::vector<char> bytes;
};

void gone(uv_handle_t* handle) {
  delete static_cast<Peer*>(handle->data);
}

void room(uv_handle_t* handle, std::size_t, uv_buf_t* out) {
  auto& buffer = static_cast<Peer*>(handle->data)->buffer;
  *out = uv_buf_init(buffer.data(), static_cast<unsigned>(buffer.size()));
}

void written(uv_write_t* request, int) {
  delete static_cast<Answer*>(request->data);
}

void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* in) {
  if (n < 0) {
    uv_close(reinterpret_cast<uv_handle_t*>(stream), gone);
    return;
  }
  if (n == 0) return;
  const uv_buf_t out = uv_buf_init(in->base, static_cast<unsigned>(n));
  const ssize_t sent = std::max(uv_try_write(stream, &out, 1), 0);
  if (sent == n) return;
  auto* answer = new Answer;
  answer->bytes.assign(in->base + sent, in->base + n);
  answer->request.data = answer;
  const uv_buf_t rest =
      uv_buf_init(answer->bytes.data(), static_cast<unsigned>(answer->bytes.size()));
  uv_write(&answer->request, stream, &rest, 1, written);
}

void on_connection(uv_stream_t* listener, int status) {
  if (status != 0) return;
  auto* peer = new Peer;
  peer->socket.data = peer;
  uv_tcp_init(listener->loop, &peer->socket);
  auto* stream = reinterpret_cast<uv_stream_t*>(&peer->socket);
  if (uv_accept(listener, stream) != 0) {
    uv_close(reinterpret_cast<uv_handle_t*>(stream), gone);
    return;
  }
  uv_tcp_nodelay(&peer->socket, 1);
  uv_read_start(stream, room, on_read);
}

void on_input(uv_poll_t*, int, int) {
  bench::io::report_and_exit();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "list") {
    std::puts("echo");
    return 0;
  }
  if (argc != 3) return 2;
  message_bytes = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener{};
  uv_tcp_init(loop, &listener);
  const sockaddr_in address = bench::io::loopback(0);
  uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0);
  if (uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, on_connection) != 0)
    bench::io::die("uv_listen");
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(&listener), &fd);
  uv_poll_t input{};
  uv_poll_init(loop, &input, STDIN_FILENO);
  uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_input);
  bench::io::announce(bench::io::port_of(fd));
  uv_run(loop, UV_RUN_DEFAULT);
}
