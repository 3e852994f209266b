// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_stats.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace zokiod::rpc {
namespace {

TEST(CallStats, CountsByMethodAndCode) {
  CallStats stats;
  auto& submit = stats.method("s", "Submit");
  stats.method("s", "Get");
  EXPECT_EQ(&stats.method("s", "Submit"), &submit);
  submit.record(0, 1000);
  submit.record(0, 1000);
  submit.record(5, 10);
  submit.record(999, 10);  // no such code: UNKNOWN
  const auto snapshot = stats.snapshot();
  ASSERT_EQ(snapshot.methods.size(), 2u);
  EXPECT_EQ(snapshot.methods[0].handled[0], 2u);
  EXPECT_EQ(snapshot.methods[0].handled[5], 1u);
  EXPECT_EQ(snapshot.methods[0].handled[2], 1u);
  EXPECT_EQ(snapshot.methods[0].handling_ns.count, 4u);
  EXPECT_EQ(snapshot.methods[1].handling_ns.count, 0u);
}

TEST(CallStats, LosesNothingBetweenThreads) {
  CallStats stats;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&stats] {
      for (int j = 0; j < 10'000; ++j) stats.method("s", "m").record(0, 5);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stats.snapshot().methods[0].handled[0], 40'000u);
}

TEST(CodeName, IsThatOfGrpc) {
  EXPECT_EQ(code_name(0), "OK");
  EXPECT_EQ(code_name(8), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(code_name(16), "UNAUTHENTICATED");
}

}  // namespace
}  // namespace zokiod::rpc
