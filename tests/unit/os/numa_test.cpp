// SPDX-License-Identifier: Apache-2.0
// Machines that this one is not, as directories.

#include "os/numa.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace zokio::os {
namespace {

class NumaTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    const auto path = root_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  NumaNodes load() { return load_numa_nodes(root_.c_str()); }

  const std::filesystem::path root_ =
      std::filesystem::path(::testing::TempDir()) / ("numa" + std::to_string(::getpid()));
};

TEST_F(NumaTest, TwoNodes) {
  write("online", "0-1\n");
  write("node0/cpulist", "0-1,4\n");
  write("node1/cpulist", "2-3,5-6\n");
  const NumaNodes nodes = load();
  EXPECT_EQ(nodes.count, 2u);
  const unsigned expected[] = {0, 0, 1, 1, 0, 1, 1, 0};
  for (unsigned cpu = 0; cpu < 8; ++cpu) EXPECT_EQ(nodes.of_cpu[cpu], expected[cpu]) << cpu;
}

TEST_F(NumaTest, NodesThatAreNotInOrderAndTooMany) {
  write("online", "0,3,7-9");
  write("node0/cpulist", "");
  write("node3/cpulist", "1");
  write("node7/cpulist", "2,5000");
  write("node8/cpulist", "3");
  const NumaNodes nodes = load();
  EXPECT_EQ(nodes.count, 8u);
  EXPECT_EQ(nodes.of_cpu[1], 3u);
  EXPECT_EQ(nodes.of_cpu[2], 7u);
  EXPECT_EQ(nodes.of_cpu[3], 0u) << "beyond what is told apart";
}

TEST_F(NumaTest, AMachineThatDoesNotTellHasOne) {
  errno = 42;
  EXPECT_EQ(load_numa_nodes("/nonexistent").count, 1u);
  EXPECT_EQ(errno, 42);
  write("online", "0\n");
  EXPECT_EQ(load().count, 1u);
  write("online", "rubbish-,--3,,\n");
  EXPECT_LE(load().count, kMaxNumaNodes);
}

TEST_F(NumaTest, APreferenceThatCannotBeMetIsNoError) {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  errno = 42;
  prefer_numa_node(memory, 4096, 0);
  prefer_numa_node(memory, 4096, 7);
  EXPECT_EQ(errno, 42);
  *static_cast<char*>(memory) = 1;
  ::munmap(memory, 4096);
}

}  // namespace
}  // namespace zokio::os
