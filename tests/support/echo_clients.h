// SPDX-License-Identifier: Apache-2.0
#pragma once

// Echo clients that share nothing with the runtime under test: one thread, plain sockets and epoll.
// Each sends a message, wants the same bytes back, and sends the next. Whatever else happens is an
// error, and the first is kept.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"

namespace zokio::test {

// As many descriptors as the system lets this process have.
inline rlim_t raise_fd_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

class EchoClients {
 public:
  struct Options {
    uint16_t port = 0;  // of 127.0.0.1
    unsigned clients = 1000;
    uint64_t seed = 1;
    unsigned most_bytes = 4096;  // of a message
    // A client that is silent for so long counts as an error.
    std::chrono::seconds silence{60};
  };

  explicit EchoClients(Options options) : options_(options), thread_([this] { run(); }) {}
  ~EchoClients() { stop(); }

  // Lets each client finish its message, and closes.
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  uint64_t round_trips() const { return round_trips_.load(); }
  uint64_t errors() const { return errors_.load(); }
  std::string first_error() {
    std::scoped_lock lock(mutex_);
    return first_error_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Client {
    int fd = -1;
    std::vector<char> message;
    std::size_t sent = 0;
    std::size_t received = 0;
    Clock::time_point since;
    uint64_t number = 0;
    bool waits_to_write = false;
  };

  void fault(const Client& client, const std::string& what) {
    ++errors_;
    std::scoped_lock lock(mutex_);
    if (first_error_.empty())
      first_error_ = "client " + std::to_string(&client - clients_.data()) + ", message " +
                     std::to_string(client.number) + ", sent " + std::to_string(client.sent) +
                     " received " + std::to_string(client.received) + ": " + what;
  }

  bool connect_one(Client& client, int set) {
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(options_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    if (client.fd < 0 || connect(client.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      fault(client, std::string("connect: ") + std::strerror(errno));
      return false;
    }
    setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = uint64_t(&client - clients_.data())}};
    epoll_ctl(set, EPOLL_CTL_ADD, client.fd, &event);
    return true;
  }

  void next_message(Client& client, Rng& rng) {
    // Mostly small, sometimes up to the bound.
    const unsigned bytes = 1 + rng.below(rng.below(8) == 0 ? options_.most_bytes : 64);
    client.message.resize(bytes);
    uint64_t word = rng.next();
    for (unsigned i = 0; i < bytes; ++i) {
      client.message[i] = static_cast<char>(word >> 56);
      word = word * 6364136223846793005u + 1442695040888963407u;
    }
    client.sent = client.received = 0;
    client.since = Clock::now();
    ++client.number;
  }

  // False: it has failed.
  bool send_rest(Client& client, int set) {
    while (client.sent < client.message.size()) {
      const ssize_t n = send(client.fd, client.message.data() + client.sent,
                             client.message.size() - client.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EAGAIN) {
        fault(client, std::string("send: ") + std::strerror(errno));
        return false;
      }
      if (n < 0) break;
      client.sent += static_cast<std::size_t>(n);
    }
    const bool waits = client.sent < client.message.size();
    if (waits != client.waits_to_write) {
      epoll_event event{.events = EPOLLIN | (waits ? uint32_t{EPOLLOUT} : 0u),
                        .data = {.u64 = uint64_t(&client - clients_.data())}};
      epoll_ctl(set, EPOLL_CTL_MOD, client.fd, &event);
      client.waits_to_write = waits;
    }
    return true;
  }

  // False: it has failed. `done`: the whole message is back.
  bool receive_some(Client& client, bool& done) {
    char bytes[8192];
    const ssize_t n = recv(client.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
      fault(client, n == 0 ? "the server hung up" : std::string("recv: ") + std::strerror(errno));
      return false;
    }
    const auto count = static_cast<std::size_t>(n);
    if (client.received + count > client.sent ||
        std::memcmp(client.message.data() + client.received, bytes, count) != 0) {
      fault(client, "wrong bytes");
      return false;
    }
    client.received += count;
    done = client.received == client.message.size();
    return true;
  }

  void drop(Client& client) {
    if (client.fd >= 0) ::close(client.fd);
    client.fd = -1;
  }

  void serve(Client& client, uint32_t events, int set, Rng& rng) {
    if (client.fd < 0) return;
    bool done = false;
    if ((events & EPOLLOUT) != 0 && !send_rest(client, set)) return drop(client);
    if ((events & ~uint32_t{EPOLLOUT}) != 0 && !receive_some(client, done)) return drop(client);
    if (!done) return;
    round_trips_.fetch_add(1, std::memory_order_relaxed);
    if (stopping_) return drop(client);
    next_message(client, rng);
    if (!send_rest(client, set)) drop(client);
  }

  void run() {
    Rng rng(options_.seed);
    const int set = epoll_create1(EPOLL_CLOEXEC);
    clients_.resize(options_.clients);
    for (Client& client : clients_) {
      if (!connect_one(client, set)) {
        drop(client);
        continue;
      }
      next_message(client, rng);
      if (!send_rest(client, set)) drop(client);
    }
    Clock::time_point looked = Clock::now();
    while (true) {
      epoll_event events[256];
      const int n = epoll_wait(set, events, 256, 100);
      for (int i = 0; i < n; ++i) serve(clients_[events[i].data.u64], events[i].events, set, rng);
      if (Clock::now() - looked < std::chrono::milliseconds(100)) continue;
      looked = Clock::now();
      if (!look_around(looked)) break;
    }
    ::close(set);
  }

  // False: none is left.
  bool look_around(Clock::time_point now) {
    bool any = false;
    for (Client& client : clients_) {
      if (client.fd < 0) continue;
      if (now - client.since > options_.silence) {
        fault(client, "no answer");
        drop(client);
        continue;
      }
      any = true;
    }
    return any;
  }

  const Options options_;
  std::vector<Client> clients_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> round_trips_{0};
  std::atomic<uint64_t> errors_{0};
  std::mutex mutex_;
  std::string first_error_;
  std::thread thread_;
};

}  // namespace zokio::test
