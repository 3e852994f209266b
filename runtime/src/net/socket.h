// SPDX-License-Identifier: Apache-2.0
#pragma once

// What listeners and streams share.

#include "zokio/base/result.h"
#include "zokio/net/address.h"
#include "zokio/os/fd.h"

namespace zokio::net {

// Non-blocking and close-on-exec, as every socket of this module.
Result<os::Fd> make_socket(int family, int type);
// Closing a socket does not wait (no SO_LINGER here), so it needs no operation.
Result<void> close_socket(os::Fd fd) noexcept;
Result<Address> local_address_of(int fd);
Result<Address> peer_address_of(int fd);

}  // namespace zokio::net
