// SPDX-License-Identifier: Apache-2.0
// SIGHUP, SIGTERM, a second SIGTERM and a drain over the API, seen from outside.
#include <gtest/gtest.h>
#include <sys/file.h>

#include <fstream>
#include <thread>

#include "daemon_process.h"
#include "engine_client.h"

namespace zokio::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kQueued = 1, kRunning = 2, kSucceeded = 4;

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds limit = 60s) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

// A command that runs until the file appears.
Work wait_for_file(const std::string& path) {
  return {.kind = "exec",
          .argv = {"/bin/sh", "-c", "until [ -e " + path + " ]; do sleep 0.05; done"}};
}

class Lifecycle : public testing::Test {
 protected:
  void start(const std::string& config = "") {
    daemon_.options().config = config;
    ASSERT_TRUE(daemon_.start()) << daemon_.log();
    client_ = std::make_unique<EngineClient>(daemon_.address());
  }
  std::string must_submit(const Work& work) {
    const auto accepted = client_->submit(work, "", 30s);
    EXPECT_TRUE(accepted) << daemon_.log();
    return accepted ? accepted->id : "";
  }
  bool reaches(const std::string& id, int state) {
    return eventually([&] {
      const auto job = client_->get(id);
      return job && job->state == state;
    });
  }
  bool log_says(const std::string& text) {
    return eventually([&] { return daemon_.log().find(text) != std::string::npos; });
  }
  std::string flag() const { return daemon_.data_dir() + "/flag"; }

  DaemonProcess daemon_;
  std::unique_ptr<EngineClient> client_;
};

TEST_F(Lifecycle, ReloadAppliesLiveKeys) {
  start("workers = 1\nreactors = 1\n");
  daemon_.write_config("workers = 3\nreactors = 2\n[jobs]\nconcurrency = 5\n");
  daemon_.send(SIGHUP);
  ASSERT_TRUE(log_says("reload: jobs.concurrency 0 -> 5")) << daemon_.log();
  EXPECT_TRUE(log_says("reload: workers 1 -> 3"));
  EXPECT_TRUE(eventually([&] { return client_->actual() == std::pair(3u, 2u); }));
}

TEST_F(Lifecycle, ReloadRefusesWhatNeedsARestartAndChangesNothing) {
  start("workers = 1\nreactors = 1\n");
  daemon_.write_config("workers = 4\nreactors = 1\n[io]\nblocking_threads = 12\n");
  daemon_.send(SIGHUP);
  ASSERT_TRUE(log_says("only a new start takes it: io.blocking_threads")) << daemon_.log();
  EXPECT_EQ(client_->actual(), std::pair(1u, 1u));
}

TEST_F(Lifecycle, ReloadOfABrokenFileKeepsTheOldOneAndSaysWhere) {
  start("workers = 1\nreactors = 1\n");
  daemon_.write_config("workers = 1\nwrokers = 4\nreactors = 999\n");
  daemon_.send(SIGHUP);
  ASSERT_TRUE(log_says("zokiod.toml:2:1: unknown key \"wrokers\"; did you mean \"workers\"?"))
      << daemon_.log();
  EXPECT_TRUE(log_says("zokiod.toml:3:12: reactors: 999 is above 64"));
  EXPECT_EQ(client_->actual(), std::pair(1u, 1u));
  EXPECT_EQ(client_->health(""), "SERVING");
}

TEST_F(Lifecycle, PolicyTurnedOffStopsTheQueuedCommandToo) {
  start("[policy.exec]\nenabled = true\n[jobs]\nconcurrency = 1\n");
  daemon_.stop();
  // The flags of the fixture would win over the file.
  daemon_.options().arguments = {"--set", "policy.exec.enabled=false"};
  ASSERT_TRUE(daemon_.start()) << daemon_.log();
  const std::string refused = client_->try_submit({.kind = "exec", .argv = {"/bin/true"}});
  EXPECT_NE(refused.find("7 "), std::string::npos) << refused;
}

TEST_F(Lifecycle, TermWaitsForWhatRunsAndKeepsWhatWaits) {
  daemon_.options().arguments = {"--set", "jobs.concurrency=1"};
  start();
  const std::string running = must_submit(wait_for_file(flag()));
  ASSERT_TRUE(reaches(running, kRunning));
  const std::string waiting = must_submit({.kind = "exec", .argv = {"/bin/true"}});
  daemon_.send(SIGTERM);
  ASSERT_TRUE(eventually([&] { return client_->health("") != "SERVING"; }));
  EXPECT_NE(client_->try_submit({.kind = "exec", .argv = {"/bin/true"}}), "");
  EXPECT_EQ(client_->health("zokio.live"), "SERVING");
  EXPECT_EQ(client_->get(waiting)->state, kQueued);
  std::ofstream(flag()) << "go";
  const auto status = daemon_.wait_for_end(DaemonProcess::kStopMax);
  ASSERT_TRUE(status) << daemon_.log();
  ASSERT_TRUE(WIFEXITED(*status)) << *status;
  EXPECT_EQ(WEXITSTATUS(*status), 0);

  ASSERT_TRUE(daemon_.start()) << daemon_.log();
  EXPECT_EQ(client_->get(running)->state, kSucceeded);
  EXPECT_EQ(client_->get(running)->interruptions, 0u);
  EXPECT_TRUE(reaches(waiting, kSucceeded));
}

TEST_F(Lifecycle, TheDrainDeadlineInterruptsWithoutBurningAnAttempt) {
  daemon_.options().arguments = {"--set", "jobs.drain_timeout=200ms"};
  start();
  const std::string id = must_submit(wait_for_file(flag()));
  ASSERT_TRUE(reaches(id, kRunning));
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
  std::ofstream(flag()) << "go";
  ASSERT_TRUE(daemon_.start()) << daemon_.log();
  ASSERT_TRUE(reaches(id, kSucceeded));
  const auto job = client_->get(id);
  EXPECT_EQ(job->attempt, 2u);
  EXPECT_EQ(job->interruptions, 1u);
}

TEST_F(Lifecycle, ASecondTermStopsAtOnce) {
  start();  // the drain would wait for 30 s
  const std::string id = must_submit(wait_for_file(flag()));
  ASSERT_TRUE(reaches(id, kRunning));
  daemon_.send(SIGTERM);
  ASSERT_TRUE(log_says("draining"));
  const auto begun = Clock::now();
  daemon_.send(SIGTERM);
  const auto status = daemon_.wait_for_end(DaemonProcess::kStopMax);
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFEXITED(*status));
  EXPECT_LT(Clock::now() - begun, 20s);  // less than the drain's 30 s
}

TEST_F(Lifecycle, DrainOverTheApiKeepsAnswering) {
  start();
  const std::string id = must_submit(wait_for_file(flag()));
  ASSERT_TRUE(reaches(id, kRunning));
  ASSERT_TRUE(client_->drain(100ms));
  EXPECT_TRUE(reaches(id, kQueued)) << client_->get(id)->state;  // interrupted, kept
  EXPECT_NE(client_->try_submit({.kind = "exec", .argv = {"/bin/true"}}), "");
  EXPECT_TRUE(eventually([&] { return client_->health("") == "NOT_SERVING"; }));
  EXPECT_EQ(client_->health("zokio.live"), "SERVING");
}

TEST_F(Lifecycle, NoZombieIsLeftBehind) {
  start();
  // The command leaves two children behind: one in its group, one in a session of its own.
  const std::string id = must_submit(
      {.kind = "exec", .argv = {"/bin/sh", "-c", "sleep 0.2 & setsid sleep 0.3 & exit 0"}});
  ASSERT_TRUE(reaches(id, kSucceeded)) << client_->get(id)->error;
  // Orphans come to the daemon, end, and are reaped: then nobody is left.
  EXPECT_TRUE(eventually([&] {
    std::string all;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(daemon_.pid()) + "/task")) {
      std::ifstream in(task.path() / "children");
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all.empty();
  }));
}

TEST_F(Lifecycle, OneStoreOneDaemon) {
  start();
  const std::string words = binary_path("zokiod", "ZOKIOD_BINARY") + " --state-dir " +
                            daemon_.state_dir() + " --runtime-dir " + daemon_.run_dir() +
                            " --http '' >" + daemon_.data_dir() + "/second 2>&1";
  const int status = std::system(words.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::ifstream in(daemon_.data_dir() + "/second");
  const std::string said((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(said.find("STORE_IN_USE"), std::string::npos) << said;
  EXPECT_EQ(client_->health(""), "SERVING");
}

TEST_F(Lifecycle, ALockThatTheLastDaemonsChildStillHoldsIsWaitedFor) {
  // What a killed daemon leaves for a moment: a child between its fork and its exec has the lock.
  const std::string path = daemon_.state_dir() + "/lock";
  const int held = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  std::jthread release([held] {
    std::this_thread::sleep_for(500ms);
    ::close(held);
  });
  start();
  EXPECT_EQ(client_->health(""), "SERVING");
}

TEST_F(Lifecycle, BadConfigurationIsCodeTwoWithEveryError) {
  daemon_.write_config("workers = \"x\"\n[io]\nbakend = \"auto\"\n");
  const std::string out = daemon_.data_dir() + "/out";
  const int status =
      std::system((binary_path("zokiod", "ZOKIOD_BINARY") + " --check-config --config " +
                   daemon_.config_path() + " >" + out + " 2>&1")
                      .c_str());
  EXPECT_EQ(WEXITSTATUS(status), 2);
  std::ifstream in(out);
  const std::string said((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(said, daemon_.config_path() + ":1:11: workers: want a whole number, got text\n" +
                      daemon_.config_path() +
                      ":3:1: unknown key \"io.bakend\"; did you mean \"io.backend\"?\n");
}

}  // namespace
}  // namespace zokio::test
