// SPDX-License-Identifier: Apache-2.0
#include "rpc/auth.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "zokio/os/fd.h"

namespace zokiod::rpc {
namespace {

struct Case {
  const char* name;
  Peer peer;
  bool allowed;
};

TEST(AccessList, TableOfWhoMay) {
  AccessList list;
  list.own_uid = 500;
  list.socket_gid = 60;
  list.uids = {1001};
  list.gids = {70};
  const std::vector<Case> table = {
      {"root", {{0, 0}, 1, {}}, true},
      {"own user", {{500, 1}, 1, {}}, true},
      {"socket's group, primary", {{9, 60}, 1, {}}, true},
      {"socket's group, supplementary", {{9, 9}, 1, {1, 60}}, true},
      {"listed user", {{1001, 9}, 1, {}}, true},
      {"listed group, primary", {{9, 70}, 1, {}}, true},
      {"listed group, supplementary", {{9, 9}, 1, {70}}, true},
      {"nobody", {{65534, 65534}, 1, {}}, false},
      {"uid that equals an allowed gid", {{70, 9}, 1, {}}, false},
      {"gid that equals an allowed uid", {{9, 1001}, 1, {1001}}, false},
      {"uid that begins like an allowed one", {{10011, 9}, 1, {}}, false},
  };
  for (const auto& one : table) EXPECT_EQ(list.allows(one.peer), one.allowed) << one.name;
}

TEST(ReadPeer, TellsWhoConnected) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  zokio::os::Fd a(pair[0]);
  zokio::os::Fd b(pair[1]);
  const auto peer = read_peer(a.get());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->principal.uid, geteuid());
  EXPECT_EQ(peer->principal.gid, getegid());
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(static_cast<int>(peer->groups.size()), getgroups(0, nullptr));
}

TEST(ReadPeer, FailsOnSomethingElse) {
  EXPECT_FALSE(read_peer(STDIN_FILENO));
}

}  // namespace
}  // namespace zokiod::rpc
