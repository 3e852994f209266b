// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/unix_address.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace zokio::net {
namespace {

constexpr std::size_t kHeader = offsetof(sockaddr_un, sun_path);
constexpr std::size_t kMaxName = sizeof(sockaddr_un) - kHeader - 1;  // a NUL ends or begins it

}  // namespace

Result<UnixAddress> UnixAddress::path(std::string_view path) {
  if (path.empty() || path.size() > kMaxName || path.find('\0') != path.npos) {
    return fail(Errc::InvalidArgument, "address");
  }
  UnixAddress out;
  std::memcpy(out.address_.sun_path, path.data(), path.size());
  out.size_ = static_cast<socklen_t>(kHeader + path.size() + 1);
  return out;
}

Result<UnixAddress> UnixAddress::abstract(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return fail(Errc::InvalidArgument, "address");
  UnixAddress out;
  std::memcpy(out.address_.sun_path + 1, name.data(), name.size());
  out.size_ = static_cast<socklen_t>(kHeader + 1 + name.size());
  return out;
}

UnixAddress UnixAddress::from_sockaddr(const sockaddr_storage& storage, socklen_t size) noexcept {
  UnixAddress out;
  if (storage.ss_family != AF_UNIX || size < kHeader) return out;
  out.size_ = std::min<socklen_t>(size, sizeof out.address_);
  std::memcpy(&out.address_, &storage, out.size_);
  return out;
}

std::string UnixAddress::to_string() const {
  if (!has_name()) return "";
  const std::string_view name(address_.sun_path, size_ - kHeader);
  if (name.front() == '\0') return "@" + std::string(name.substr(1));
  return std::string(name.substr(0, name.find('\0')));
}

}  // namespace zokio::net
