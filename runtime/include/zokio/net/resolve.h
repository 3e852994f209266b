// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names to addresses, by the system's resolver (getaddrinfo) on the blocking pool: /etc/hosts, DNS
// and whatever else nsswitch.conf names. Thread: any task.

#include <cstdint>
#include <string>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/net/address.h"
#include "zokio/task/task.h"

namespace zokio::net {

enum class Family : uint8_t { Any, V4, V6 };

// The addresses of `host`, the best first (RFC 6724), without duplicates; never empty. An address
// in digits ("127.0.0.1", "::1") is taken at once. Errors: NotFound (no such name, or none of that
// family), Unavailable (the resolver has no answer; try again), InvalidArgument.
// Cancel: the wait ends at once; the thread of the pool stays busy until the resolver gives up.
Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port,
                                           Family family = Family::Any);

}  // namespace zokio::net
