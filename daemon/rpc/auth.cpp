// SPDX-License-Identifier: Apache-2.0
#include "rpc/auth.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace zokiod::rpc {
namespace {

// The kernel's NGROUPS_MAX.
constexpr size_t kGroupsMax = 65536;

bool contains(const std::vector<uint32_t>& list, uint32_t id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

bool member(const Peer& peer, uint32_t gid) {
  return peer.principal.gid == gid || contains(peer.groups, gid);
}

}  // namespace

zokio::Result<Peer> read_peer(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return zokio::fail_errno(errno, "SO_PEERCRED");
  Peer out;
  out.principal.uid = credentials.uid;
  out.principal.gid = credentials.gid;
  out.pid = credentials.pid;
  std::vector<gid_t> groups(32);
  size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  int done = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  // Too small: the kernel said how large it has to be.
  if (done != 0 && errno == ERANGE && size <= kGroupsMax * sizeof(gid_t)) {
    groups.resize(size / sizeof(gid_t));
    done = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  }
  if (done != 0) return zokio::fail_errno(errno, "SO_PEERGROUPS");
  out.groups.assign(groups.begin(), groups.begin() + size / sizeof(gid_t));
  return out;
}

bool AccessList::allows(const Peer& peer) const {
  if (peer.principal.uid == 0 || peer.principal.uid == own_uid) return true;
  if (member(peer, socket_gid) || contains(uids, peer.principal.uid)) return true;
  return std::any_of(gids.begin(), gids.end(), [&](uint32_t gid) { return member(peer, gid); });
}

}  // namespace zokiod::rpc
