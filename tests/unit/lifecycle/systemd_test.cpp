// SPDX-License-Identifier: Apache-2.0
// Each case in a child: the environment and descriptor 3 belong to one process.
#include "lifecycle/systemd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "lifecycle/log.h"
#include "temp_dir.h"

namespace zokiod::lifecycle {
namespace {

using namespace std::chrono_literals;

int listening(const std::string& path, int type) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  if (type == SOCK_STREAM && ::listen(fd, 1) != 0) return -1;
  return fd;
}

// Runs `body` in a child and returns its exit code.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

TEST(Notifier, SaysWhatSystemdHears) {
  zokio::test::TempDir dir;
  const std::string path = dir / "notify";
  const int server = listening(path, SOCK_DGRAM);
  ASSERT_GE(server, 0);
  const auto heard = [&] {
    char text[512];
    const ssize_t n = ::recv(server, text, sizeof text, 0);
    return std::string(text, n > 0 ? static_cast<size_t>(n) : 0);
  };
  ASSERT_EQ(in_child([&] {
              ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
              ::setenv("WATCHDOG_USEC", "20000000", 1);
              Notifier notifier;
              if (!notifier.connected() || notifier.watchdog_interval() != 20s) return 1;
              notifier.ready("here I am");
              notifier.watchdog();
              notifier.status("busy");
              notifier.extend_timeout(10s);
              notifier.stopping("bye");
              return 0;
            }),
            0);
  EXPECT_EQ(heard(), "READY=1\nSTATUS=here I am");
  EXPECT_EQ(heard(), "WATCHDOG=1");
  EXPECT_EQ(heard(), "STATUS=busy");
  EXPECT_EQ(heard(), "EXTEND_TIMEOUT_USEC=10000000");
  EXPECT_EQ(heard(), "STOPPING=1\nSTATUS=bye");
  ::close(server);
}

TEST(Notifier, WithoutSystemdNothingHappens) {
  EXPECT_EQ(in_child([] {
              ::unsetenv("NOTIFY_SOCKET");
              ::unsetenv("WATCHDOG_USEC");
              Notifier notifier;
              notifier.ready("x");
              notifier.watchdog();
              return notifier.connected() || notifier.watchdog_interval() != 0s ? 1 : 0;
            }),
            0);
}

// Puts `fd` where systemd puts it and asks.
int taken(int fd, const char* count) {
  if (fd >= 0 && ::dup2(fd, 3) != 3) return 50;
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", count, 1);
  const auto got = take_listening_socket();
  if (::getenv("LISTEN_FDS") != nullptr) return 51;  // a child must not take it for its own
  if (!got) return 40;
  if (*got == 3 && (::fcntl(3, F_GETFD) & FD_CLOEXEC) == 0) return 52;
  return *got < 0 ? 41 : *got;
}

TEST(SocketActivation, TakesTheOneListeningSocket) {
  zokio::test::TempDir dir;
  const int socket = listening(dir / "s", SOCK_STREAM);
  EXPECT_EQ(in_child([&] { return taken(socket, "1"); }), 3);
  EXPECT_EQ(in_child([&] { return taken(socket, "2"); }), 40);  // one too many
  const int datagram = listening(dir / "d", SOCK_DGRAM);
  EXPECT_EQ(in_child([&] { return taken(datagram, "1"); }), 40);
  EXPECT_EQ(in_child([] {
              ::unsetenv("LISTEN_FDS");
              ::unsetenv("LISTEN_PID");
              const auto got = take_listening_socket();
              return got && *got == -1 ? 0 : 1;
            }),
            0);
}

TEST(Log, KnowsTheJournalByItsDescriptor) {
  EXPECT_EQ(in_child([] {
              ::unsetenv("JOURNAL_STREAM");
              if (logs_to_journal()) return 1;
              ::setenv("JOURNAL_STREAM", "1:2", 1);
              return logs_to_journal() ? 1 : 0;
            }),
            0);
}

}  // namespace
}  // namespace zokiod::lifecycle
