// SPDX-License-Identifier: Apache-2.0
#pragma once

// The name of a Unix socket: a path, or a name that exists in no file system (abstract).
// Thread: a value.

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "zokio/base/result.h"

namespace zokio::net {

class UnixAddress {
 public:
  // Without a name: what an end that was never bound has.
  UnixAddress() noexcept { address_.sun_family = AF_UNIX; }
  // Errors: InvalidArgument (empty, a NUL byte, longer than 107 bytes).
  static Result<UnixAddress> path(std::string_view path);
  // Errors: InvalidArgument (empty, longer than 107 bytes).
  static Result<UnixAddress> abstract(std::string_view name);
  static UnixAddress from_sockaddr(const sockaddr_storage& storage, socklen_t size) noexcept;

  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const noexcept { return size_; }
  bool has_name() const noexcept { return size_ > offsetof(sockaddr_un, sun_path); }
  // "/run/app.sock", "@name" for an abstract one, "" without a name.
  std::string to_string() const;

 private:
  sockaddr_un address_{};
  socklen_t size_ = offsetof(sockaddr_un, sun_path);
};

}  // namespace zokio::net
