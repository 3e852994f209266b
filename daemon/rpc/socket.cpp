// SPDX-License-Identifier: Apache-2.0
#include "rpc/socket.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace zokiod::rpc {
namespace {

using model::Reported;
using zokio::os::Fd;

// Connections that wait to be accepted; a burst of clients, not a queue of work.
constexpr int kBacklog = 256;

model::Report failed(const std::string& what, const std::string& path, int error) {
  return model::make_report(zokio::Error::from_errno(error, ""), what + " " + path);
}

Reported<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return model::refuse(zokio::Errc::InvalidArgument, "SOCKET_PATH",
                         "socket path \"" + path + "\": 1 to " +
                             std::to_string(sizeof address.sun_path - 1) +
                             " bytes are possible; choose a shorter rpc.runtime_dir");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

std::optional<gid_t> find_group(const std::string& group) {
  gid_t number = 0;
  const char* end = group.data() + group.size();
  if (auto [at, error] = std::from_chars(group.data(), end, number);
      error == std::errc{} && at == end)
    return number;
  ::group entry{};
  ::group* found = nullptr;
  std::string buffer(16384, '\0');
  if (getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
    return found->gr_gid;
  return std::nullopt;
}

// True when somebody answers at the path.
bool served(const sockaddr_un& address) {
  Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return true;
  return errno == EAGAIN;  // its backlog is full
}

Reported<> remove_stale(const sockaddr_un& address, const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return model::refuse(failed("look at", path, errno));
  }
  if (!S_ISSOCK(status.st_mode))
    return model::refuse(zokio::Errc::AlreadyExists, "SOCKET_IN_USE",
                         path +
                             " is there and no socket; remove it or choose another "
                             "rpc.runtime_dir");
  if (served(address))
    return model::refuse(zokio::Errc::AlreadyExists, "SOCKET_IN_USE",
                         "another zokiod serves " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return model::refuse(failed("remove the stale socket", path, errno));
  return {};
}

}  // namespace

Reported<Fd> listen_unix(const std::string& path, uint32_t mode, const std::string& group) {
  auto address = address_of(path);
  if (!address) return model::refuse(address.error());
  std::optional<gid_t> gid;
  if (!group.empty() && !(gid = find_group(group)))
    return model::refuse(zokio::Errc::NotFound, "SOCKET_GROUP",
                         "rpc.socket_group: no group \"" + group + "\"");
  if (auto clear = remove_stale(*address, path); !clear) return model::refuse(clear.error());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return model::refuse(failed("socket for", path, errno));
  // Nobody but us until mode and group are set.
  const mode_t before = umask(0177);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int bind_error = errno;
  umask(before);
  if (bound != 0) return model::refuse(failed("bind", path, bind_error));
  if (gid && chown(path.c_str(), static_cast<uid_t>(-1), *gid) != 0)
    return model::refuse(failed("give to group " + group + ":", path, errno));
  if (chmod(path.c_str(), mode) != 0) return model::refuse(failed("set the mode of", path, errno));
  if (listen(fd.get(), kBacklog) != 0) return model::refuse(failed("listen on", path, errno));
  return fd;
}

void remove_socket(const std::string& path, uint64_t device, uint64_t inode) {
  struct stat status{};
  if (lstat(path.c_str(), &status) == 0 && status.st_dev == device && status.st_ino == inode)
    (void)unlink(path.c_str());
}

}  // namespace zokiod::rpc
