// SPDX-License-Identifier: Apache-2.0
//
// A runtime without work sleeps: no worker goes on looking after a wake-up that was for nothing.

#include <time.h>

#include "runtime_fixture.h"

namespace zokio {
namespace {

int64_t processor_ns() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
}

TEST(Idle, UsesNoProcessorAfterABurst) {
  for (int round = 0; round < 10; ++round) {
    RuntimeOptions options;
    options.workers = 4;
    auto runtime = Runtime::create(std::move(options));
    ASSERT_TRUE(runtime.has_value());
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE((*runtime)->block_on([]() -> Task<int> { co_return 1; }).has_value());
    std::this_thread::sleep_for(
        std::chrono::milliseconds(20));  // spins and looks come to their end
    const int64_t before = processor_ns();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    // 0.02 % is usual; one worker that spins would be 100 %.
    EXPECT_LT(processor_ns() - before, 10'000'000) << "of 100 ms, in round " << round;
  }
}

}  // namespace
}  // namespace zokio
