// SPDX-License-Identifier: Apache-2.0
#include "model/address_rules.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace zokiod::model {
namespace {

using zokio::net::Address;

// Every address as IPv6, IPv4 as ::ffff:a.b.c.d, so that there is one comparison.
using Bits = std::array<unsigned char, 16>;

struct Network {
  Bits bits{};
  unsigned prefix = 128;
};

Bits mapped(const in_addr& v4) {
  Bits out{};
  out[10] = out[11] = 0xff;
  std::memcpy(&out[12], &v4, 4);
  return out;
}

std::optional<Network> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  Network out;
  in_addr v4{};
  unsigned most = 128;
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    out.bits = mapped(v4);
    most = 32;
  } else if (::inet_pton(AF_INET6, host.c_str(), out.bits.data()) != 1) {
    return std::nullopt;
  }
  unsigned prefix = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc{} || end != digits.data() + digits.size() || prefix > most)
      return std::nullopt;
  }
  out.prefix = prefix + (128 - most);
  return out;
}

bool contains(const Network& network, const Bits& bits) {
  const unsigned whole = network.prefix / 8, rest = network.prefix % 8;
  if (!std::equal(bits.begin(), bits.begin() + whole, network.bits.begin())) return false;
  const auto mask = static_cast<unsigned char>(0xff << (8 - rest));
  return rest == 0 || (bits[whole] & mask) == (network.bits[whole] & mask);
}

// RFC 6890 and its registries: what is not the public internet.
constexpr std::string_view kSpecial[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "2001::/23",     "2001:db8::/32",   "2002::/16",      "3fff::/20",
};

bool is_public(const Bits& bits) {
  const Network v4 = {mapped({}), 96};
  const Network global = *parse_network("2000::/3");
  if (!contains(v4, bits) && !contains(global, bits)) return false;
  return std::ranges::none_of(
      kSpecial, [&](std::string_view net) { return contains(*parse_network(net), bits); });
}

Bits bits_of(const Address& address) {
  if (!address.is_v6())
    return mapped(reinterpret_cast<const sockaddr_in*>(address.data())->sin_addr);
  Bits out{};
  std::memcpy(out.data(), &reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr, 16);
  static const Network kNat64 = *parse_network("64:ff9b::/96");
  if (contains(kNat64, out)) {
    in_addr inner{};
    std::memcpy(&inner, &out[12], 4);
    return mapped(inner);
  }
  return out;
}

}  // namespace

bool is_address_rule(std::string_view rule) {
  return rule == "public" || parse_network(rule).has_value();
}

bool address_allowed(const Address& address, const std::vector<std::string>& rules) {
  const Bits bits = bits_of(address);
  return std::ranges::any_of(rules, [&](const std::string& rule) {
    if (rule == "public") return is_public(bits);
    const auto network = parse_network(rule);
    return network && contains(*network, bits);
  });
}

Reported<> authorize_address(const Address& address, const std::vector<std::string>& rules,
                             std::string_view list) {
  if (address_allowed(address, rules)) return {};
  std::string all;
  for (const std::string& rule : rules) all += (all.empty() ? "" : ", ") + rule;
  Report report = make_report(
      zokio::Errc::PermissionDenied, "ADDRESS_NOT_ALLOWED",
      all.empty() ? fmt::format("{} is not allowed: {} is empty", address.to_string(), list)
                  : fmt::format("{} is in none of {}: {}", address.to_string(), list, all));
  report.metadata["address"] = address.to_string();
  return refuse(std::move(report));
}

}  // namespace zokiod::model
