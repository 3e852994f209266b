// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the load generator and the C++ servers of `./dev bench io` share: how a server is called and
// what it prints. tokio/src/main.rs does the same in Rust.
//
//   <server> list                       the workloads it has, one a line
//   <server> echo <message bytes>       prints {"port":N}, serves until its standard input ends,
//                                       then prints {"cpu_ns":N,"rss":N}
//
// A server is one thread, bound to the processor that the caller gave it. It listens on loopback,
// on a port that the kernel chooses, and sets TCP_NODELAY on what it accepts. The size of a message
// is known to all of them, so each may choose its buffers as suits it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../sched/harness.h"

namespace bench::io {

// Room for a whole message, and for what is small a page.
inline unsigned buffer_bytes(unsigned message) {
  return std::max(4096u, message);
}

[[noreturn]] inline void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

inline sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// A listening socket on a free port; `flags` as for socket().
inline int listen_on_loopback(int flags) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) die("socket");
  const sockaddr_in address = loopback(0);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
  if (listen(fd, 4096) != 0) die("listen");
  return fd;
}

inline uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) die("getsockname");
  return ntohs(address.sin_port);
}

inline void announce(uint16_t port) {
  std::printf("{\"port\":%u}\n", port);
  std::fflush(stdout);
}

// What a server used by now; it is called when standard input has ended.
[[noreturn]] inline void report_and_exit() {
  std::printf("{\"cpu_ns\":%lld,\"rss\":%lld}\n", static_cast<long long>(cpu_ns()),
              static_cast<long long>(rss_bytes()));
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace bench::io
