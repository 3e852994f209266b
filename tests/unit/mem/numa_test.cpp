// SPDX-License-Identifier: Apache-2.0
// A machine with two memory nodes, where each thread says on which it is.

#include "mem/numa.h"

#include "mem/span.h"
#include "pools_fixture.h"

namespace zokio::mem {
namespace {

class NumaTest : public PoolsTest {
 protected:
  void SetUp() override {
    PoolsTest::SetUp();
    fake_numa(2);
  }
  void TearDown() override {
    set_fake_node(0);
    PoolsTest::TearDown();
    fake_numa(0);
  }
};

constexpr std::size_t kBytes = 192;

// Frames of a thread on that node, which has a cache.
std::vector<void*> take_on(unsigned node, unsigned count) {
  std::vector<void*> taken;
  std::thread([&] {
    set_fake_node(node);
    const ScopedCache cache;
    for (unsigned i = 0; i < count; ++i) taken.push_back(allocate_frame(kBytes));
  }).join();
  return taken;
}
void free_on(unsigned node, const std::vector<void*>& taken) {
  std::thread([&] {
    set_fake_node(node);
    const ScopedCache cache;
    for (void* frame : taken) free_frame(frame, kBytes);
  }).join();
}
unsigned on_node(const std::vector<void*>& taken, unsigned node) {
  unsigned count = 0;
  for (void* frame : taken) count += chunk_of(frame)->node == node;
  return count;
}

TEST_F(NumaTest, AThreadIsServedFromItsNode) {
  EXPECT_EQ(memory_snapshot().numa_nodes, 2u);
  const auto near = take_on(0, 1000);
  const auto far = take_on(1, 1000);
  EXPECT_EQ(on_node(near, 0), 1000u);
  EXPECT_EQ(on_node(far, 1), 1000u);
  free_on(0, near);
  free_on(1, far);
}

TEST_F(NumaTest, BlocksGoBackToTheirNodeWhoeverFreesThem) {
  const auto near = take_on(0, 500);
  const auto far = take_on(1, 500);
  std::vector<void*> mixed;
  for (unsigned i = 0; i < 500; ++i) {
    mixed.push_back(near[i]);
    mixed.push_back(far[i]);
  }
  free_on(1, mixed);
  EXPECT_EQ(frames().objects_in_use, 0u);
  const uint64_t fresh = frames().misses_os;
  const auto again_far = take_on(1, 500);
  const auto again_near = take_on(0, 500);
  EXPECT_EQ(on_node(again_far, 1), 500u);
  EXPECT_EQ(on_node(again_near, 0), 500u);
  EXPECT_EQ(frames().misses_os, fresh) << "served by what was given back";
  free_on(0, again_far);
  free_on(0, again_near);
}

// Before a request fails, what another node has free serves it.
TEST_F(NumaTest, AtTheLimitTheOtherNodeServes) {
  std::vector<Buffer> live;
  for (unsigned i = 0; i < 16; ++i) live.push_back(*lease(4096));
  ASSERT_TRUE(set_limit("buffers", 16 * 4096).has_value());
  live.resize(15);
  std::thread([] {
    set_fake_node(1);
    auto one = lease(4096);
    ASSERT_TRUE(one.has_value());
    EXPECT_EQ(chunk_of(one->data())->node, 0u);
    EXPECT_FALSE(lease(4096).has_value());
  }).join();
}

TEST_F(NumaTest, FiguresAndTrimSeeAllNodes) {
  const auto near = take_on(0, 1000);
  const auto far = take_on(1, 1000);
  EXPECT_EQ(frames().objects_in_use, 2000u);
  EXPECT_EQ(frames().in_use_bytes, 2000 * kBytes);
  EXPECT_GE(frames().committed_bytes, 2000 * kBytes);
  free_on(0, near);
  free_on(0, far);
  EXPECT_GT(frames().cached_bytes, 0u);
  EXPECT_GE(trim(), 2000 * kBytes / 4 * 3);
  EXPECT_EQ(frames().cached_bytes, 0u);
  EXPECT_EQ(frames().committed_bytes, 0u);
}

TEST(NumaOfThisMachine, IsKnown) {
  EXPECT_GE(numa_nodes(), 1u);
  EXPECT_LE(numa_nodes(), kMaxNodes);
  EXPECT_LT(this_node(), numa_nodes());
  EXPECT_EQ(memory_snapshot().numa_nodes, numa_nodes());
}

}  // namespace
}  // namespace zokio::mem
