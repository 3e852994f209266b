// SPDX-License-Identifier: Apache-2.0
//
// The processor quota of a cgroup and the caches of processors, both read from fake directories.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "os/topology.h"
#include "sched/quota.h"
#include "sched/resize.h"
#include "zokio/runtime.h"

namespace zokio::sched {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class FakeSystem : public testing::Test {
 protected:
  FakeSystem() {
    std::string name = (fs::temp_directory_path() / "zokio-qos-XXXXXX").string();
    root_ = mkdtemp(name.data());
    write("self", "0::/outer/inner\n");
    write("cgroup/outer/inner/cpu.max", "max 100000\n");
  }
  ~FakeSystem() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  // As the kernel does, a reader sees the old text or the new one.
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(path(name) + ".new") << text;
    fs::rename(path(name) + ".new", path(name));
  }
  std::unique_ptr<QuotaFollower> follower() const {
    return std::make_unique<QuotaFollower>(path("self"), path("cgroup"));
  }

  fs::path root_;
};

TEST_F(FakeSystem, TheLeastQuotaOfTheAncestorsCounts) {
  auto quota = follower();
  Instant now{1};
  EXPECT_EQ(quota->look(now, 8), 8u);
  EXPECT_EQ(quota->quota(), 0);
  write("cgroup/outer/cpu.max", "250000 100000\n");
  EXPECT_EQ(quota->look(now + 999ms, 8), std::nullopt);  // not that often
  EXPECT_EQ(quota->look(now + 1s, 8), 3u);
  EXPECT_EQ(quota->quota(), 2.5);
  EXPECT_EQ(quota->look(now + 2s, 8), std::nullopt);  // nothing new
  write("cgroup/outer/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota->look(now + 3s, 8), 1u);
  write("cgroup/outer/inner/cpu.max", "900000 100000\n");
  write("cgroup/outer/cpu.max", "max 100000\n");
  EXPECT_EQ(quota->look(now + 4s, 8), 8u);
  EXPECT_EQ(quota->look(now + 5s, 4), 4u);  // fewer are asked for
}

TEST_F(FakeSystem, WorkersFollowTheQuotaAndRequests) {
  write("cgroup/outer/cpu.max", "200000 100000\n");
  Scheduler scheduler({}, nullptr);
  ResizeControl control(scheduler, nullptr, Placement::Inline);
  control.follow(follower());
  ASSERT_TRUE(control.start(4, 0).has_value());
  EXPECT_EQ(scheduler.active_workers(), 2u);
  const auto reaches = [&](unsigned workers) {
    const Instant deadline = Instant::now() + 60s;
    while (control.workers_desired() != workers && Instant::now() < deadline)
      std::this_thread::yield();
    return control.workers_desired() == workers;
  };
  write("cgroup/outer/cpu.max", "100000 100000\n");
  EXPECT_TRUE(reaches(1));
  EXPECT_EQ(control.quota(), 1.0);
  write("cgroup/outer/cpu.max", "max 100000\n");
  EXPECT_TRUE(reaches(4));
  control.stop();
  scheduler.stop();
}

TEST_F(FakeSystem, ARuntimeReportsTheQuotaItFollows) {
  RuntimeOptions options;
  options.workers = 2;
  options.follow_cpu_quota = true;
  auto runtime = Runtime::create(options);
  ASSERT_TRUE(runtime.has_value());
  const double quota = (*runtime)->stats().scheduler.cpu_quota;
  std::ifstream own("/proc/self/cgroup");
  const std::string groups((std::istreambuf_iterator<char>(own)), {});
  const double real = os::cgroup_cpu_quota(groups);
  EXPECT_EQ(quota, real < os::kNoCpuQuota ? real : 0);
}

TEST_F(FakeSystem, ProcessorsThatShareTheirLargestCacheAreNear) {
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string at = "cpu/cpu" + std::to_string(cpu) + "/cache/index";
    write(at + "0/level", "1\n");
    write(at + "0/shared_cpu_list", std::to_string(cpu) + "\n");
    write(at + "1/level", "3\n");
    write(at + "1/shared_cpu_list", cpu < 2 ? "0-1\n" : "2-3\n");
  }
  const auto caches = os::CacheDomains::load(path("cpu"));
  EXPECT_FALSE(caches.one());
  EXPECT_TRUE(caches.shared(0, 1));
  EXPECT_TRUE(caches.shared(2, 3));
  EXPECT_FALSE(caches.shared(1, 2));
  EXPECT_TRUE(caches.shared(1, 77));  // came later
}

TEST_F(FakeSystem, AMachineThatDoesNotTellIsOneDomain) {
  const auto none = os::CacheDomains::load(path("nowhere"));
  EXPECT_TRUE(none.one());
  EXPECT_TRUE(none.shared(0, 63));
  write("cpu/cpu0/cache/index0/level", "2\n");
  write("cpu/cpu0/cache/index0/shared_cpu_list", "0\n");
  EXPECT_TRUE(os::CacheDomains::load(path("cpu")).one());
}

}  // namespace
}  // namespace zokio::sched
