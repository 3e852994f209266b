// SPDX-License-Identifier: Apache-2.0
//
// The echo server on epoll by hand: edge-triggered, reads until the socket is empty, writes at
// once.

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <vector>

#include "wire.h"

namespace bench::io {
namespace {

class Server {
 public:
  explicit Server(unsigned message) : buffer_(buffer_bytes(message)) {}

  void run() {
    const int listener = listen_on_loopback(SOCK_NONBLOCK);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    watch(listener, EPOLLIN);
    watch(STDIN_FILENO, EPOLLIN);
    announce(port_of(listener));
    std::vector<epoll_event> events(256);
    while (true) {
      const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (n < 0 && errno != EINTR) die("epoll_wait");
      for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == STDIN_FILENO) report_and_exit();
        if (fd == listener)
          accept_all(listener);
        else
          serve(fd);
      }
    }
  }

 private:
  void watch(int fd, uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  void accept_all(int listener) {
    while (true) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      set_no_delay(fd);
      watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
      if (waiting_.size() <= static_cast<std::size_t>(fd))
        waiting_.resize(static_cast<std::size_t>(fd) + 1);
      waiting_[static_cast<std::size_t>(fd)].clear();
    }
  }

  // Reads go on only when everything was written, so `waiting_` stays below one buffer.
  void serve(int fd) {
    std::vector<char>& waiting = waiting_[static_cast<std::size_t>(fd)];
    while (true) {
      if (!waiting.empty()) {
        const ssize_t sent = send(fd, waiting.data(), waiting.size(), MSG_NOSIGNAL);
        if (sent < 0) return finish(fd);
        waiting.erase(waiting.begin(), waiting.begin() + sent);
        if (!waiting.empty()) return;
      }
      const ssize_t n = recv(fd, buffer_.data(), buffer_.size(), 0);
      if (n == 0) {
        close(fd);
        return;
      }
      if (n < 0) return finish(fd);
      const ssize_t sent = send(fd, buffer_.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
      const ssize_t done = std::max<ssize_t>(sent, 0);
      if (done < n) waiting.assign(buffer_.data() + done, buffer_.data() + n);
      // Less than the buffer: the socket is empty, and what comes is a new edge.
      else if (static_cast<std::size_t>(n) < buffer_.size())
        return;
    }
  }

  void finish(int fd) {
    if (errno == EAGAIN) return;
    close(fd);
  }

  std::vector<char> buffer_;
  std::vector<std::vector<char>> waiting_;  // by descriptor: what could not be sent yet
  int epoll_ = -1;
};

}  // namespace
}  // namespace bench::io

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "list") {
    std::puts("echo");
    return 0;
  }
  if (argc != 3) return 2;
  bench::io::Server(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10))).run();
}
