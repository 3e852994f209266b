// SPDX-License-Identifier: Apache-2.0
#include "zokio/os/process_stats.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "os/topology.h"
#include "temp_dir.h"
#include "zokio/base/clock.h"
#include "zokio/os/fd.h"

namespace zokio::os {
namespace {

TEST(ProcessStats, FollowWhatTheProcessDoes) {
  const ProcessStats before = read_process_stats();
  EXPECT_GT(before.rss_anon_bytes, 0u);
  EXPECT_GT(before.virtual_bytes, before.resident_bytes());
  EXPECT_GE(before.threads, 1u);
  EXPECT_GT(before.max_fds, before.open_fds);
  const auto now = static_cast<double>(time(nullptr));
  EXPECT_LE(before.start_time_unix_seconds, now + 2);
  EXPECT_GT(before.start_time_unix_seconds, now - 3600);

  constexpr std::size_t kBytes = 32 << 20;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  const Fd extra(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Instant busy_until = Instant::now() + std::chrono::milliseconds(30);
  while (Instant::now() < busy_until) {
  }
  const ProcessStats after = read_process_stats();
  EXPECT_GE(after.rss_anon_bytes, before.rss_anon_bytes + kBytes / 2);
  EXPECT_EQ(after.open_fds, before.open_fds + 1);
  EXPECT_GT(after.page_faults_minor, before.page_faults_minor);
  EXPECT_GT(after.cpu_seconds(), before.cpu_seconds());
  EXPECT_GE(after.context_switches_voluntary, before.context_switches_voluntary);
  EXPECT_EQ(after.start_time_unix_seconds, before.start_time_unix_seconds);
  munmap(memory, kBytes);
}

TEST(Topology, AffinityBoundsTheProcessors) {
  const unsigned all = usable_cpus();
  EXPECT_GE(all, 1u);
  unsigned pinned = 0;
  std::thread([&] {
    cpu_set_t mask;
    ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
    int first = 0;
    while (!CPU_ISSET(first, &mask)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    pinned = usable_cpus();
  }).join();
  EXPECT_EQ(pinned, 1u);
}

void put(const std::filesystem::path& file, const char* text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

TEST(Topology, TheLeastQuotaOfTheGroupAndItsAncestors) {
  const test::TempDir root;
  const std::filesystem::path mount = root.path();
  EXPECT_EQ(cgroup_cpu_quota("0::/a/b\n4:cpu,cpuacct:/x\n", mount), kNoCpuQuota);
  put(mount / "a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpu_quota("0::/a/b\n", mount), kNoCpuQuota);
  put(mount / "a/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota("0::/a/b\n", mount), 1.5);
  EXPECT_EQ(cgroup_cpu_quota("0::/\n", mount), kNoCpuQuota);
  // Version 1, and both at once as on hybrid hosts.
  put(mount / "cpu/x/cpu.cfs_quota_us", "-1\n");
  put(mount / "cpu/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpu_quota("4:cpu,cpuacct:/x\n", mount), kNoCpuQuota);
  put(mount / "cpu/x/cpu.cfs_quota_us", "50000\n");
  EXPECT_EQ(cgroup_cpu_quota("4:cpu,cpuacct:/x\n", mount), 0.5);
  EXPECT_EQ(cgroup_cpu_quota("4:cpuset:/x\n", mount), kNoCpuQuota);
  EXPECT_EQ(cgroup_cpu_quota("0::/a/b\n2:cpu:/x\n", mount), 0.5);
  put(mount / "a/cpu.max", "nonsense\n");
  EXPECT_EQ(cgroup_cpu_quota("0::/a/b\nrubbish\n", mount), kNoCpuQuota);
}

TEST(Fd, ClosesOnceAndMoves) {
  const int number = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(number, 0);
  {
    Fd fd(number);
    Fd moved(std::move(fd));
    EXPECT_FALSE(fd);
    EXPECT_EQ(moved.get(), number);
    EXPECT_GE(fcntl(number, F_GETFD), 0);
  }
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST(FdDeathTest, SomebodyElseClosedIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Fd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
        Fd thief(fd.get());
        thief.reset();
      },
      "closed behind its owner's back");
}

}  // namespace
}  // namespace zokio::os
