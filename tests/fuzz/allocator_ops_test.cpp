// SPDX-License-Identifier: Apache-2.0
// The fuzz target on inputs from seeds: the same in each run.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "allocator_ops.h"
#include "zokio/base/sanitizer.h"

namespace {

TEST(AllocatorOps, SequencesFromSeeds) {
  const char* const given = std::getenv("ZOKIO_TEST_SEED");
  const uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 0) : 1;
  const int runs = zokio::kSanitized ? 20 : 60;
  std::size_t operations = 0;
  for (int run = 0; run < runs; ++run) {
    SCOPED_TRACE(run);
    std::mt19937_64 rng(first + static_cast<uint64_t>(run));
    std::vector<uint8_t> input(200 + rng() % 4000);
    for (uint8_t& byte : input) byte = static_cast<uint8_t>(rng());
    operations += fuzz::run_allocator_ops(input.data(), input.size());
  }
  EXPECT_GT(operations, static_cast<std::size_t>(runs) * 50);
}

}  // namespace
