// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which addresses a job may listen on and connect to: lists of rules in the configuration, empty
// lists allow nothing. A rule is a network, "10.0.0.0/8", one address, or "public": every address
// of the internet that is not special (loopback, private, link-local with the metadata services of
// clouds, shared, documentation, multicast, reserved).
//
// An address is asked for at the moment of connecting, with the numbers that are connected to, so
// that neither a redirect nor a name that resolves anew leads around it. IPv6 forms of IPv4
// addresses (mapped, NAT64) count as what they contain. Thread: pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "model/report.h"
#include "zokio/net/address.h"

namespace zokiod::model {

// For the check of the configuration.
bool is_address_rule(std::string_view rule);
bool address_allowed(const zokio::net::Address& address, const std::vector<std::string>& rules);
// ADDRESS_NOT_ALLOWED, naming the address and the rules. `list`: "policy.connect".
Reported<> authorize_address(const zokio::net::Address& address,
                             const std::vector<std::string>& rules, std::string_view list);

}  // namespace zokiod::model
