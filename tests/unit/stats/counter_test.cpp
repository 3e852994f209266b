// SPDX-License-Identifier: Apache-2.0
#include "zokio/stats/counter.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace zokio::stats {
namespace {

TEST(CounterTest, SingleWriterIsSeenGrowingByAReader) {
  Counter counter;
  constexpr uint64_t kAdds = 200'000;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kAdds; ++i) counter.add();
  });
  uint64_t last = 0;
  while (last < kAdds) {
    const uint64_t now = counter.read();
    ASSERT_GE(now, last);
    last = now;
  }
  writer.join();
  EXPECT_EQ(counter.read(), kAdds);
}

TEST(CounterTest, SharedWritersLoseNothing) {
  Counter counter;
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&] {
      for (int i = 0; i < 50'000; ++i) counter.add_shared(3);
    });
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(counter.read(), 4u * 50'000u * 3u);
}

}  // namespace
}  // namespace zokio::stats
