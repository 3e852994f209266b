// SPDX-License-Identifier: Apache-2.0
// 500 random resizes (workers 1 to 8, reactors 1 to 4, pool caps) while clients keep mixed jobs
// coming: every job that was acknowledged succeeds, and no counter on /metrics ever goes backwards.
// On both backends. Seeded: ZOKIO_TEST_SEED.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "daemon_process.h"
#include "engine_client.h"
#include "seed.h"

namespace zokio::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kResizes = 500;
constexpr size_t kJobsForEachResize = 4;
constexpr int kClients = 6;
constexpr int kSucceeded = 4;

// Every series that only grows: counters, and the parts of histograms.
std::map<std::string, double> counters_of(const std::string& exposition) {
  std::map<std::string, double> out;
  std::istringstream in(exposition);
  std::string line, growing;
  while (std::getline(in, line)) {
    if (line.starts_with("# TYPE ")) {
      const size_t space = line.rfind(' ');
      const std::string type = line.substr(space + 1);
      growing = type == "counter" || type == "histogram" ? line.substr(7, space - 7) : "";
    } else if (!growing.empty() && line.starts_with(growing)) {
      const size_t space = line.rfind(' ');
      out[line.substr(0, space)] = std::stod(line.substr(space + 1));
    }
  }
  return out;
}

class ResizeUnderLoad : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::printf("ZOKIO_TEST_SEED=%llu\n", static_cast<unsigned long long>(test_seed()));
    daemon_.options().arguments = {"--set", std::string("io.backend=") + GetParam(),
                                   "--set", "jobs.retain_finished=1000000",
                                   "--set", "jobs.concurrency=12",
                                   "--set", "jobs.queue_limit=400",
                                   "--set", "log.level=warn"};
    if (!daemon_.start()) {
      if (daemon_.log().find("io_uring") != std::string::npos)
        GTEST_SKIP() << "no io_uring here: " << daemon_.log();
      FAIL() << daemon_.log();
    }
    std::ofstream(daemon_.data_dir() + "/some.bin") << std::string(3'000'000, 'x');
    for (int i = 0; i < 20; ++i)
      std::ofstream(daemon_.data_dir() + "/f" + std::to_string(i)) << std::string(i * 1000, 'y');
  }

  // The port is in the log; the log level keeps it out, so the socket table has to say it.
  void find_port();

  void submit_until_done(int number) {
    EngineClient client(daemon_.address());
    std::mt19937_64 random(test_seed() + static_cast<uint64_t>(number));
    for (int i = 0; !done_; ++i) {
      Work work{.kind = "synthetic.spawn", .seed = random(), .size = 200};
      switch (random() % 6) {
        case 0:
          work = {.kind = "synthetic.alloc", .seed = random(), .size = 2000};
          break;
        case 1:
          work = {.kind = "synthetic.file", .seed = random(), .size = 300'000};
          break;
        case 2:
          work = {.kind = "file.checksum", .path = daemon_.data_dir()};
          break;
        case 3:
          if (i % 4 == 0) work = {.kind = "exec", .argv = {"/bin/true"}};
          break;
        default:
          break;
      }
      const auto accepted =
          client.submit(work, std::to_string(number) + "-" + std::to_string(i), 60s);
      std::lock_guard lock(mutex_);
      if (accepted)
        ids_.insert(accepted->id);
      else
        ++refused_;
    }
  }

  void scrape_until_done() {
    std::map<std::string, double> before;
    while (true) {
      const bool last = done_;
      const auto now = counters_of(http_get(port_, "/metrics"));
      for (const auto& [series, value] : before) {
        const auto it = now.find(series);
        std::lock_guard lock(mutex_);
        if (it == now.end())
          backwards_.insert(series + " vanished");
        else if (it->second < value)
          backwards_.insert(series + ": " + std::to_string(value) + " -> " +
                            std::to_string(it->second));
      }
      before = now;
      series_ = now.size();
      ++scrapes_;
      if (last) return;
      std::this_thread::sleep_for(50ms);
    }
  }

  size_t answered() {
    std::lock_guard lock(mutex_);
    return ids_.size();
  }

  Sizes random_sizes(std::mt19937_64& random) {
    Sizes sizes;
    const auto what = random() % 4;
    if (what == 0 || what == 3) sizes.workers = 1 + random() % 8;
    if (what == 1 || what == 3) sizes.reactors = 1 + random() % 4;
    if (what == 2) {
      // From far below what is in use to no limit at all.
      const char* pool = random() % 2 ? "frames" : "buffers";
      sizes.pools[pool] = random() % 4 == 0 ? 0 : (1ull << 20) << random() % 7;
    }
    return sizes;
  }

  DaemonProcess daemon_;
  uint16_t port_ = 0;
  std::atomic<bool> done_{false};
  std::atomic<uint64_t> scrapes_{0}, series_{0};
  std::mutex mutex_;
  std::set<std::string> ids_;
  std::set<std::string> backwards_;
  int refused_ = 0;
};

void ResizeUnderLoad::find_port() {
  // /proc/PID/net/tcp has every listening socket of the namespace; ours are those we hold.
  std::set<std::string> inodes;
  const std::string fds = "/proc/" + std::to_string(daemon_.pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(fds)) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
  }
  std::ifstream in("/proc/" + std::to_string(daemon_.pid()) + "/net/tcp");
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >>
        inode;
    if (state == "0A" && inodes.contains(inode))
      port_ = static_cast<uint16_t>(std::stoul(local.substr(local.find(':') + 1), nullptr, 16));
  }
  ASSERT_NE(port_, 0);
}

TEST_P(ResizeUnderLoad, NothingIsLostAndNoFigureGoesBackwards) {
  const auto begun = Clock::now();
  find_port();
  std::vector<std::jthread> threads;
  for (int i = 0; i < kClients; ++i) threads.emplace_back([this, i] { submit_until_done(i); });
  threads.emplace_back([this] { scrape_until_done(); });

  EngineClient client(daemon_.address());
  std::mt19937_64 random(test_seed());
  std::vector<std::string> failed;
  for (int i = 0; i < kResizes && daemon_.running(); ++i) {
    const std::string error = client.resize(random_sizes(random));
    if (!error.empty()) failed.push_back(error);
    if (failed.size() > 5) break;
    // So that jobs come and go between resizes, whatever the machine does.
    const size_t wanted = kJobsForEachResize * static_cast<size_t>(i + 1);
    const auto until = Clock::now() + 10s;
    while (answered() < wanted && Clock::now() < until) std::this_thread::sleep_for(1ms);
  }
  const std::string last =
      client.resize({.workers = 3, .reactors = 2, .pools = {{"frames", 0}, {"buffers", 0}}});
  done_ = true;
  threads.clear();
  EXPECT_EQ(last, "");
  EXPECT_TRUE(failed.empty()) << failed.size() << " resizes failed: " << failed[0];
  EXPECT_EQ(refused_, 0);
  EXPECT_TRUE(backwards_.empty()) << backwards_.size() << " series: " << *backwards_.begin();
  EXPECT_GT(scrapes_, 3u);
  EXPECT_GT(series_, 100u);

  const auto deadline = Clock::now() + 100s;
  std::optional<std::vector<JobView>> open;
  do {
    open = client.list({1, 2, 3});
    if (open && open->empty()) break;
    std::this_thread::sleep_for(20ms);
  } while (Clock::now() < deadline);
  ASSERT_TRUE(open && open->empty()) << "jobs are left\n" << daemon_.log();
  const auto all = client.list();
  ASSERT_TRUE(all);
  std::set<std::string> listed;
  for (const JobView& job : *all) {
    listed.insert(job.id);
    EXPECT_EQ(job.state, kSucceeded) << job.id << ": " << job.error;
    EXPECT_EQ(job.attempt, 1u);
  }
  EXPECT_EQ(listed, ids_);
  EXPECT_GE(ids_.size(), kJobsForEachResize * kResizes / 2);
  const auto actual = client.actual();
  ASSERT_TRUE(actual);
  EXPECT_EQ(actual->first, 3u);
  EXPECT_EQ(actual->second, 2u);
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
  std::printf("%s: %zu jobs, %d resizes, %llu scrapes of %llu growing series, %lld ms\n",
              GetParam(), ids_.size(), kResizes, static_cast<unsigned long long>(scrapes_.load()),
              static_cast<unsigned long long>(series_.load()),
              static_cast<long long>(took.count()));
}

INSTANTIATE_TEST_SUITE_P(Backends, ResizeUnderLoad, testing::Values("uring", "epoll"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace zokio::test
