// SPDX-License-Identifier: Apache-2.0
#include "mem/budget.h"

#include <thread>
#include <vector>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

TEST(BudgetTest, AddsUpToTheLimitAndNotBeyond) {
  Budget budget;
  EXPECT_TRUE(budget.add(1000));
  budget.set_limit(1500);
  EXPECT_TRUE(budget.add(500));
  EXPECT_FALSE(budget.add(1));
  EXPECT_EQ(budget.held(), 1500u);
  EXPECT_FALSE(budget.over());
  budget.add_above_limit(20);
  EXPECT_TRUE(budget.over());
  EXPECT_EQ(budget.excess(), 20u);
  budget.subtract(520);
  EXPECT_EQ(budget.excess(), 0u);
  EXPECT_EQ(budget.high_water(), 1520u);
  EXPECT_TRUE(budget.add(500));
}

// A limit that is lowered while another thread adds: one of the two has to notice.
TEST(BudgetTest, LoweredLimitAndConcurrentAddNeverMissEachOther) {
  constexpr int kRounds = 20'000;
  Budget budget;
  Meeting sync;
  int missed = 0;
  bool added = false;
  std::thread adder([&] {
    for (int i = 0; i < kRounds; ++i) {
      sync.wait();
      added = budget.add(10);
      sync.wait();
      sync.wait();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    budget.set_limit(0);
    sync.wait();
    spin(i % 64);
    budget.set_limit(5);
    const bool seen = budget.over();
    sync.wait();
    if (added && !seen) ++missed;
    budget.subtract(budget.held());
    sync.wait();
  }
  adder.join();
  EXPECT_EQ(missed, 0);
}

TEST(BudgetTest, ConcurrentAddsStayBelowTheLimitAndHighWaterIsReached) {
  Budget budget;
  budget.set_limit(100);
  std::vector<std::thread> threads;
  std::atomic<bool> broken{false};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        if (!budget.add(30)) continue;
        if (budget.held() > 100) broken = true;
        budget.subtract(30);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(broken);
  EXPECT_EQ(budget.held(), 0u);
  EXPECT_GE(budget.high_water(), 30u);
  EXPECT_LE(budget.high_water(), 90u);
}

}  // namespace
}  // namespace zokio::mem
