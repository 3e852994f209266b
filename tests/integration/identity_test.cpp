// SPDX-License-Identifier: Apache-2.0
// Who may use the socket, and that the server never mixes up who asked.
#include <sys/stat.h>

#include <thread>

#include "rpc_fixture.h"

namespace zokio::test {
namespace {

constexpr unsigned kNobody = 65534;

class Identity : public RpcTest {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  }

  void start_open(const std::string& allowed_uids) {
    DaemonProcess::Options options;
    // The permissions of the file let everybody in, so that the policy has to decide.
    options.arguments = {"--set", "rpc.socket_mode=\"0666\"", "--set",
                         "policy.allowed_uids=[" + allowed_uids + "]"};
    start(std::move(options));
    const auto directory = std::filesystem::path(daemon_->run_dir()).parent_path();
    ASSERT_EQ(chmod(directory.c_str(), 0755), 0);
    ASSERT_EQ(chmod(daemon_->run_dir().c_str(), 0755), 0);
    zokioctl_ = directory / "zokioctl";
    std::filesystem::copy_file(binary_path("zokioctl", "ZOKIOCTL_BINARY"), zokioctl_);
    ASSERT_EQ(chmod(zokioctl_.c_str(), 0755), 0);
  }

  struct Ran {
    int code;
    std::string output;
  };
  // zokioctl as another user; both streams.
  Ran run_as(unsigned uid, const std::string& arguments) const {
    const std::string id = std::to_string(uid);
    const std::string command = "setpriv --reuid=" + id + " --regid=" + id + " --clear-groups " +
                                zokioctl_ + " --address " + daemon_->address() + " " + arguments +
                                " 2>&1";
    Ran out{-1, ""};
    FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) return out;
    char text[4096];
    while (size_t size = fread(text, 1, sizeof text, pipe)) out.output.append(text, size);
    const int status = ::pclose(pipe);
    out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
  }

  std::string zokioctl_;
};

TEST_F(Identity, AnotherUserIsDeniedAndCounted) {
  start_open("");
  for (const char* command :
       {"status", "job list", "health", "submit exec -- true", "resize workers=1", "drain"}) {
    const auto ran = run_as(kNobody, command);
    EXPECT_EQ(ran.code, 6) << command << ": " << ran.output;
    EXPECT_NE(ran.output.find("PEER_NOT_ALLOWED"), std::string::npos) << ran.output;
  }
  const auto stats = must_get_stats();
  EXPECT_GE(stats.rpc().calls_denied(), 6u);
  EXPECT_EQ(stats.jobs().state(), "serving");
  EXPECT_NE(daemon_->log().find("denied uid 65534"), std::string::npos);
}

TEST_F(Identity, AListedUserIsServedUnderItsOwnName) {
  start_open(std::to_string(kNobody));
  const auto ran = run_as(kNobody, "submit exec -- true");
  ASSERT_EQ(ran.code, 0) << ran.output;
  const std::string id = ran.output.substr(0, 26);
  EXPECT_EQ(must_get(id).principal().uid(), kNobody);
}

// Connections that come and go use the same numbers of descriptors; the names must not follow.
TEST_F(Identity, UsersAtTheSameTimeAreNotMixedUp) {
  start_open("65534, 65533");
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::vector<std::pair<unsigned, std::string>> submitted;
  for (const unsigned uid : {0u, 65534u, 65533u})
    threads.emplace_back([&, uid] {
      for (int i = 0; i < 8; ++i) {
        const auto ran = run_as(uid, "submit synthetic.spawn tasks=1");
        std::scoped_lock lock(mutex);
        EXPECT_EQ(ran.code, 0) << ran.output;
        submitted.emplace_back(uid, ran.output.substr(0, 26));
      }
    });
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(submitted.size(), 24u);
  for (const auto& [uid, id] : submitted) EXPECT_EQ(must_get(id).principal().uid(), uid) << id;
}

TEST_F(Identity, TheFilesPermissionsAreExplained) {
  start_open("");
  ASSERT_EQ(chmod(daemon_->socket_path().c_str(), 0660), 0);
  const auto ran = run_as(kNobody, "status");
  EXPECT_EQ(ran.code, 6) << ran.output;
  EXPECT_NE(ran.output.find("mode 0660, owner root:root"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace zokio::test
