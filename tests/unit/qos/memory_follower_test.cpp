// SPDX-License-Identifier: Apache-2.0
//
// The memory of a cgroup, read from a fake directory: the limit of all pools follows it, and signs
// of a shortage are answered.

#include "sched/memory_follower.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "os/cgroup_memory.h"
#include "zokio/mem/buffer.h"

namespace zokio::sched {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr uint64_t kMiB = uint64_t{1} << 20;

class FakeGroup : public testing::Test {
 protected:
  FakeGroup() {
    std::string name = (fs::temp_directory_path() / "zokio-mem-XXXXXX").string();
    root_ = mkdtemp(name.data());
    write("self", "0::/outer/inner\n");
    group("memory.max", "max\n");
    group("memory.high", "max\n");
    group("memory.current", "104857600\n");
    group("memory.stat", "anon 5\ninactive_file 0\n");
    group("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
    group("memory.pressure", stalled(0));
  }
  ~FakeGroup() override {
    mem::set_pressure(false);
    EXPECT_TRUE(mem::set_total_limit(0, true).has_value());
    fs::remove_all(root_);
  }

  static std::string stalled(uint64_t us) {
    return "some avg10=0.00 avg60=0.00 avg300=0.00 total=" + std::to_string(us) +
           "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
  }
  void group(const std::string& file, const std::string& text) {
    write("cgroup/outer/inner/" + file, text);
  }
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(path(name) + ".new") << text;
    fs::rename(path(name) + ".new", path(name));
  }
  os::CgroupMemory read(const std::string& groups = "0::/outer/inner\n") const {
    return os::cgroup_memory(groups, path("cgroup"));
  }
  // So that a trim has something to give back.
  static void leave_free() {
    auto buffer = mem::lease(4 * kMiB);
    ASSERT_TRUE(buffer.has_value());
    std::memset(buffer->data(), 1, 4 * kMiB);
  }
  static uint64_t trims() { return mem::memory_snapshot().pressure_trims; }
  static bool pressed() { return mem::memory_snapshot().pressure; }

  fs::path root_;
};

TEST_F(FakeGroup, TheLeastLimitOfTheAncestorsCounts) {
  EXPECT_EQ(read().limit_bytes, 0u);
  EXPECT_EQ(read().fullest, 0);
  group("memory.max", "419430400\n");
  EXPECT_EQ(read().limit_bytes, 400 * kMiB);
  EXPECT_EQ(read().fullest, 0.25);
  group("memory.high", "209715200\n");
  EXPECT_EQ(read().limit_bytes, 200 * kMiB);
  write("cgroup/outer/memory.max", "125829120\n");
  write("cgroup/outer/memory.current", "125829120\n");
  write("cgroup/outer/memory.stat", "inactive_file 62914560\n");
  EXPECT_EQ(read().limit_bytes, 120 * kMiB);
  EXPECT_EQ(read().used_bytes, 60 * kMiB) << "files that can be dropped do not count";
  EXPECT_EQ(read().fullest, 0.5);
  group("memory.events", "high 3\nmax 4\n");
  group("memory.pressure", stalled(1234));
  EXPECT_EQ(read().events, 7u);
  EXPECT_EQ(read().stalled_us, 1234u);
  EXPECT_EQ(read("nonsense").limit_bytes, 0u);
}

TEST_F(FakeGroup, VersionOneHasALimitAndUsage) {
  write("cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(read("4:memory:/x\n").limit_bytes, 0u);
  write("cgroup/memory/x/memory.limit_in_bytes", "104857600\n");
  write("cgroup/memory/x/memory.usage_in_bytes", "52428800\n");
  EXPECT_EQ(read("4:memory:/x\n").limit_bytes, 100 * kMiB);
  EXPECT_EQ(read("4:memory:/x\n").fullest, 0.5);
}

TEST_F(FakeGroup, ThePoolsStayBelowTheGroupsLimit) {
  MemoryFollower follower(path("self"), path("cgroup"));
  Instant now{1};
  follower.look(now);
  EXPECT_EQ(mem::total_limit(), 0u);
  group("memory.max", "1048576000\n");
  follower.look(now + 500ms);
  EXPECT_EQ(mem::total_limit(), 0u) << "not that often";
  follower.look(now + 1s);
  EXPECT_EQ(mem::total_limit(), 800 * kMiB);
  EXPECT_EQ(follower.limit_bytes(), 1000 * kMiB);
  EXPECT_EQ(follower.used_bytes(), 100 * kMiB);
  ASSERT_TRUE(follower.ask(300 * kMiB, false).has_value());
  EXPECT_EQ(mem::total_limit(), 300 * kMiB) << "less was asked for";
  group("memory.max", "262144000\n");
  follower.look(now + 2s);
  EXPECT_EQ(mem::total_limit(), 200 * kMiB);
  ASSERT_TRUE(follower.ask(0, false).has_value());
  EXPECT_EQ(mem::total_limit(), 200 * kMiB);
  group("memory.max", "max\n");
  follower.look(now + 3s);
  EXPECT_EQ(mem::total_limit(), 0u);
}

TEST_F(FakeGroup, AGroupThatIsNearlyFullIsAnsweredUntilItIsQuiet) {
  MemoryFollower follower(path("self"), path("cgroup"));
  Instant now{1};
  const uint64_t before = trims();
  const uint64_t released = mem::memory_snapshot().pressure_released_bytes;
  group("memory.max", "209715200\n");
  follower.look(now);
  EXPECT_FALSE(pressed());
  leave_free();
  group("memory.current", "199229440\n");  // 95 %
  follower.look(now + 1s);
  EXPECT_TRUE(pressed());
  EXPECT_EQ(trims(), before + 1);
  EXPECT_GE(mem::memory_snapshot().pressure_released_bytes - released, 4 * kMiB);
  follower.look(now + 3s);
  EXPECT_EQ(trims(), before + 1) << "not every second";
  follower.look(now + 6s);
  EXPECT_EQ(trims(), before + 2) << "it lasts";
  group("memory.current", "104857600\n");
  follower.look(now + 8s);
  EXPECT_TRUE(pressed());
  follower.look(now + 15s);
  EXPECT_TRUE(pressed());
  follower.look(now + 16s);
  EXPECT_FALSE(pressed());
}

TEST_F(FakeGroup, EventsAndStallsAreSigns) {
  MemoryFollower follower(path("self"), path("cgroup"));
  Instant now{1};
  group("memory.events", "high 5\nmax 0\n");
  group("memory.pressure", stalled(5'000'000));
  follower.look(now);
  EXPECT_FALSE(pressed()) << "what was before is no sign";
  group("memory.pressure", stalled(5'050'000));
  follower.look(now + 1s);
  EXPECT_FALSE(pressed()) << "a twentieth of the time";
  group("memory.pressure", stalled(5'200'000));
  follower.look(now + 2s);
  EXPECT_TRUE(pressed());
  follower.look(now + 12s);
  EXPECT_FALSE(pressed());
  group("memory.events", "high 6\nmax 0\n");
  follower.look(now + 13s);
  EXPECT_TRUE(pressed());
}

TEST_F(FakeGroup, TheEndOfTheFollowerEndsIt) {
  {
    MemoryFollower follower(path("self"), path("cgroup"));
    group("memory.max", "104857600\n");
    follower.look(Instant{1});
    EXPECT_TRUE(pressed());
  }
  EXPECT_FALSE(pressed());
}

}  // namespace
}  // namespace zokio::sched
