// SPDX-License-Identifier: Apache-2.0
// Signals and orphans. Each case in a child, whose signals and children are its own.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "lifecycle/reaper.h"
#include "lifecycle/signals.h"

namespace zokiod::lifecycle {
namespace {

template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

TEST(Signals, EachReachesItsHandlerAndStopsAreCounted) {
  EXPECT_EQ(in_child([] {
              block_signals();
              std::atomic<unsigned> stops{0}, reloads{0}, children{0};
              std::atomic<int> last{0};
              SignalThread::Handlers handlers;
              handlers.stop = [&](int signal, unsigned times) {
                last = signal;
                stops = times;
              };
              handlers.reload = [&] { ++reloads; };
              handlers.child = [&] { ++children; };
              auto thread = SignalThread::start(std::move(handlers));
              if (!thread) return 1;
              ::kill(::getpid(), SIGHUP);
              if (!eventually([&] { return reloads == 1; })) return 2;
              ::kill(::getpid(), SIGTERM);
              if (!eventually([&] { return stops == 1; }) || last != SIGTERM) return 3;
              ::kill(::getpid(), SIGINT);
              if (!eventually([&] { return stops == 2; }) || last != SIGINT) return 4;
              if (::fork() == 0) ::_exit(0);
              if (!eventually([&] { return children > 0; })) return 5;
              ::kill(::getpid(), SIGPIPE);  // ignored: a client that leaves is no reason to die
              return 0;
            }),
            0);
}

TEST(Reaper, OrphansAreReapedAndOursAreLeftAlone) {
  EXPECT_EQ(in_child([] {
              become_subreaper();
              const pid_t ours = ::fork();
              if (ours == 0) ::_exit(7);
              // A child that leaves a grandchild behind.
              const pid_t middle = ::fork();
              if (middle == 0) {
                if (::fork() == 0) ::_exit(0);
                ::_exit(0);
              }
              ::waitpid(middle, nullptr, 0);
              const auto known = [&](pid_t pid) { return pid == ours; };
              unsigned reaped = 0;
              if (!eventually([&] { return (reaped += reap_orphans(known)) == 1; })) return 1;
              std::vector<pid_t> left;
              for_each_child([&](pid_t pid) { left.push_back(pid); });
              if (left != std::vector{ours}) return 2;
              int status = 0;  // our own still has its status for us
              if (::waitpid(ours, &status, 0) != ours || WEXITSTATUS(status) != 7) return 3;
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace zokiod::lifecycle
