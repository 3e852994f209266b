// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace zokio::net {

Result<Address> Address::parse(std::string_view text) {
  const auto bad = [] { return fail(Errc::InvalidArgument, "address"); };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return bad();

  std::string_view host = text.substr(0, colon);
  Address address;
  if (host.starts_with('[') && host.ends_with(']')) {
    const std::string inner(host.substr(1, host.size() - 2));
    address.storage_.v6.sin6_family = AF_INET6;
    address.storage_.v6.sin6_port = htons(port);
    if (inet_pton(AF_INET6, inner.c_str(), &address.storage_.v6.sin6_addr) != 1) return bad();
    return address;
  }
  address.storage_.v4.sin_family = AF_INET;
  address.storage_.v4.sin_port = htons(port);
  if (inet_pton(AF_INET, std::string(host).c_str(), &address.storage_.v4.sin_addr) != 1) {
    return bad();
  }
  return address;
}

Address Address::loopback(uint16_t port) noexcept {
  Address address = any(port);
  address.storage_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Address Address::any(uint16_t port) noexcept {
  Address address;
  address.storage_.v4.sin_family = AF_INET;
  address.storage_.v4.sin_port = htons(port);
  return address;
}

Address Address::loopback_v6(uint16_t port) noexcept {
  Address address = any_v6(port);
  address.storage_.v6.sin6_addr = in6addr_loopback;
  return address;
}

Address Address::any_v6(uint16_t port) noexcept {
  Address address;
  address.storage_.v6.sin6_family = AF_INET6;
  address.storage_.v6.sin6_port = htons(port);
  return address;
}

bool operator==(const Address& a, const Address& b) noexcept {
  if (a.family() != b.family() || a.port() != b.port()) return false;
  if (!a.is_v6()) return a.storage_.v4.sin_addr.s_addr == b.storage_.v4.sin_addr.s_addr;
  return IN6_ARE_ADDR_EQUAL(&a.storage_.v6.sin6_addr, &b.storage_.v6.sin6_addr) &&
         a.storage_.v6.sin6_scope_id == b.storage_.v6.sin6_scope_id;
}

Result<Address> Address::from_sockaddr(const sockaddr_storage& storage) {
  Address address;
  if (storage.ss_family == AF_INET) {
    std::memcpy(&address.storage_.v4, &storage, sizeof(sockaddr_in));
  } else if (storage.ss_family == AF_INET6) {
    std::memcpy(&address.storage_.v6, &storage, sizeof(sockaddr_in6));
  } else {
    return fail(Errc::InvalidArgument, "address");
  }
  return address;
}

uint16_t Address::port() const noexcept {
  return ntohs(family() == AF_INET6 ? storage_.v6.sin6_port : storage_.v4.sin_port);
}

std::string Address::to_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(port());
  }
  inet_ntop(AF_INET, &storage_.v4.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(port());
}

}  // namespace zokio::net
