// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who is at the other end of a unix socket, as the kernel says, and who may be.
// Thread: values; the owner guards an AccessList that changes.

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "model/job.h"
#include "zokio/base/result.h"

namespace zokiod::rpc {

struct Peer {
  model::Principal principal;
  pid_t pid = 0;
  std::vector<uint32_t> groups;  // supplementary ones
};

// SO_PEERCRED and SO_PEERGROUPS: of the moment of connect(), and not for the peer to choose.
zokio::Result<Peer> read_peer(int fd);

// Root and the daemon's own user always; members of the socket's group, because they were let in to
// the socket; and what the configuration lists.
struct AccessList {
  uint32_t own_uid = 0;
  uint32_t socket_gid = 0;
  std::vector<uint32_t> uids;
  std::vector<uint32_t> gids;

  bool allows(const Peer& peer) const;
};

}  // namespace zokiod::rpc
