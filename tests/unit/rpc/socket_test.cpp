// SPDX-License-Identifier: Apache-2.0
#include "rpc/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace zokiod::rpc {
namespace {

class ListenUnix : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "zokio-socket-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/s.sock";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
  std::string path_;
};

TEST_F(ListenUnix, HasTheModeAskedFor) {
  const auto fd = listen_unix(path_, 0640, "");
  ASSERT_TRUE(fd);
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777u, 0640u);
  EXPECT_TRUE(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(ListenUnix, RefusesASocketThatIsServed) {
  const auto first = listen_unix(path_, 0600, "");
  ASSERT_TRUE(first);
  const auto second = listen_unix(path_, 0600, "");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "SOCKET_IN_USE");
}

TEST_F(ListenUnix, ReplacesOneThatWasLeftOver) {
  {
    ASSERT_TRUE(listen_unix(path_, 0600, ""));
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(listen_unix(path_, 0600, ""));
}

TEST_F(ListenUnix, LeavesAFileThatIsNoSocket) {
  {
    std::ofstream(path_) << "precious";
  }
  const auto fd = listen_unix(path_, 0600, "");
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().reason, "SOCKET_IN_USE");
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(ListenUnix, SaysWhatIsWrong) {
  auto fd = listen_unix(directory_ + "/missing/s.sock", 0600, "");
  ASSERT_FALSE(fd);
  EXPECT_NE(fd.error().message.find("missing/s.sock"), std::string::npos);
  fd = listen_unix(directory_ + "/" + std::string(200, 'x'), 0600, "");
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().reason, "SOCKET_PATH");
  fd = listen_unix(path_, 0600, "no-such-group");
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().reason, "SOCKET_GROUP");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ListenUnix, RemovesOnlyItsOwn) {
  const auto fd = listen_unix(path_, 0600, "");
  ASSERT_TRUE(fd);
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  remove_socket(path_, status.st_dev, status.st_ino + 1);
  EXPECT_TRUE(std::filesystem::exists(path_));
  remove_socket(path_, status.st_dev, status.st_ino);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace zokiod::rpc
