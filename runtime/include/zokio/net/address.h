// SPDX-License-Identifier: Apache-2.0
#pragma once

// An IP address with a port, as numbers. Names are not resolved here.
// Thread: a value.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "zokio/base/result.h"

namespace zokio::net {

class Address {
 public:
  // "127.0.0.1:80", "[::1]:80". Errors: InvalidArgument.
  static Result<Address> parse(std::string_view text);
  static Address loopback(uint16_t port) noexcept;     // 127.0.0.1
  static Address any(uint16_t port) noexcept;          // 0.0.0.0
  static Address loopback_v6(uint16_t port) noexcept;  // ::1
  static Address any_v6(uint16_t port) noexcept;       // ::
  // From what the kernel filled in. Errors: InvalidArgument (neither IPv4 nor IPv6).
  static Result<Address> from_sockaddr(const sockaddr_storage& storage);

  uint16_t port() const noexcept;
  int family() const noexcept { return storage_.any.sa_family; }
  const sockaddr* data() const noexcept { return &storage_.any; }
  socklen_t size() const noexcept {
    return family() == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  }
  bool is_v6() const noexcept { return family() == AF_INET6; }
  // "127.0.0.1:80"
  std::string to_string() const;

  friend bool operator==(const Address& a, const Address& b) noexcept;

 private:
  Address() noexcept : storage_{} {}

  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_;
};

}  // namespace zokio::net
