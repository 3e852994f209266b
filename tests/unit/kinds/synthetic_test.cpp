// SPDX-License-Identifier: Apache-2.0
// The synthetic kinds: known sums, bounds, cancel, and that the scratch file goes.
#include "kind_fixture.h"
#include "kinds/mix.h"
#include "model/limits.h"
#include "zokio/mem/pools.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticAllocSpec;
using model::SyntheticFileSpec;
using model::SyntheticResult;
using model::SyntheticSpawnSpec;
using V = Violations;

class SyntheticTest : public KindTest {
 protected:
  // Told to stop at its first progress; Cancelled, and buffers and files are back.
  void expect_cancelled(model::Work work) {
    FakeContext context(*runtime_, policy(), std::move(work));
    const uint64_t before = zokio::mem::snapshot(zokio::mem::PoolId::Buffers).objects_in_use;
    const auto done = run_and_cancel(context, [&] { return context.most_done > 0; });
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().error.code, Errc::Cancelled);
    EXPECT_EQ(done.error().reason, "CANCELLED");
    EXPECT_EQ(zokio::mem::snapshot(zokio::mem::PoolId::Buffers).objects_in_use, before);
    EXPECT_TRUE(names(scratch()).empty());
  }
};

TEST_P(SyntheticTest, SpawnSumIsThatOfCounting) {
  for (const uint64_t tasks : {1u, 2u, 9u, 1000u}) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < tasks; ++i) {
      uint64_t value = mix(7, i);
      for (int round = 0; round < 3; ++round) value = mix(value);
      sum += value;
    }
    const SyntheticResult got = result(SyntheticSpawnSpec{7, tasks, 8, 3});
    EXPECT_EQ(got, (SyntheticResult{tasks, 0, checksum_text(sum)}));
    // A chain, and one task with all the others below it: the same tasks.
    EXPECT_EQ(result(SyntheticSpawnSpec{7, tasks, 1, 3}).checksum, got.checksum);
    EXPECT_EQ(result(SyntheticSpawnSpec{7, tasks, 1024, 3}).checksum, got.checksum);
  }
  EXPECT_NE(result(SyntheticSpawnSpec{1, 10, 2, 1}).checksum,
            result(SyntheticSpawnSpec{2, 10, 2, 1}).checksum);
  EXPECT_EQ(result(SyntheticSpawnSpec{}).operations, 1000u) << "the defaults";
}

TEST_P(SyntheticTest, AllocIsTheSameEachTime) {
  const SyntheticAllocSpec spec{3, 2000, 4, 16, 8192};
  const SyntheticResult got = result(spec);
  EXPECT_EQ(got.operations, 2000u);
  EXPECT_GT(got.bytes, 2000u * 16);
  EXPECT_LE(got.bytes, 2000u * 8192);
  EXPECT_EQ(result(spec), got);
  SyntheticAllocSpec other = spec;
  other.seed = 4;
  EXPECT_NE(result(other).checksum, got.checksum);
  EXPECT_EQ(result(SyntheticAllocSpec{1, 1, 4, 0, 0}).operations, 1u) << "fewer than tasks";
}

TEST_P(SyntheticTest, FileIsTheSameEachTimeAndGone) {
  for (const uint64_t size : {1u, 511u, 65536u, 65537u, 300'001u}) {
    const SyntheticFileSpec spec{5, size, 0, size == 511};
    const SyntheticResult got = result(spec);
    EXPECT_EQ(got.bytes, 2 * size);
    EXPECT_EQ(got.operations, 2 * ((size + 65535) / 65536) + (size == 511 ? 1 : 0));
    EXPECT_EQ(result(spec).checksum, got.checksum);
    EXPECT_TRUE(names(scratch()).empty());
  }
}

TEST_P(SyntheticTest, FileThatIsDamagedIsFound) {
  FakeContext context(*runtime_, policy(), SyntheticFileSpec{5, 256 * 1024, 4096, false});
  const std::string path = scratch() + "/" + context.job().id.to_string() + ".scratch";
  context.on_progress = [&](uint64_t done) {
    if (done != 256 * 1024) return;  // all of it is written, nothing is read back
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(200'000);
    file.put('\0').put('\1').put('\2');
  };
  EXPECT_REPORT(run(context), Errc::DataLoss, "VERIFY_FAILED",
                path + " did not hold what was written into it");
  EXPECT_TRUE(names(scratch()).empty());
}

TEST_P(SyntheticTest, FileWithoutItsDirectory) {
  std::filesystem::remove(scratch());
  EXPECT_REPORT(run(SyntheticFileSpec{}), Errc::NotFound, "NOT_FOUND",
                "open " + scratch() + ": open: NOT_FOUND (ENOENT: No such file or directory)");
  std::filesystem::create_directory(scratch());
}

TEST_P(SyntheticTest, Cancelled) {
  // Far more than any machine does before the cancel arrives.
  expect_cancelled(SyntheticSpawnSpec{1, 2'000'000, 8, 100'000});
  expect_cancelled(SyntheticAllocSpec{1, 50'000'000, 4, 32, 65536});
  expect_cancelled(SyntheticFileSpec{1, 8ull << 30, 4096, false});
}

TEST_P(SyntheticTest, Limits) {
  EXPECT_EQ(violations(SyntheticSpawnSpec{0, 10'000'000, 1024, 1'000'000}), V{});
  EXPECT_EQ(violations(SyntheticSpawnSpec{0, 10'000'001, 1025, 1'000'001}),
            (V{{"spec.synthetic_spawn.tasks", "10000001 is above 10000000"},
               {"spec.synthetic_spawn.fanout", "1025 is above 1024"},
               {"spec.synthetic_spawn.work", "1000001 is above 1000000"}}));
  EXPECT_EQ(violations(SyntheticAllocSpec{0, 100'000'000, 256, 4096, 16 << 20}), V{});
  EXPECT_EQ(violations(SyntheticAllocSpec{0, 100'000'001, 257, 4097, (16 << 20) + 1}),
            (V{{"spec.synthetic_alloc.operations", "100000001 is above 100000000"},
               {"spec.synthetic_alloc.tasks", "257 is above 256"},
               {"spec.synthetic_alloc.live_blocks", "4097 is above 4096"},
               {"spec.synthetic_alloc.block_size_max_bytes", "16777217 is above 16777216"}}));
  EXPECT_EQ(violations(SyntheticFileSpec{0, 64ull << 30, 512, false}), V{});
  EXPECT_EQ(violations(SyntheticFileSpec{0, (64ull << 30) + 1, 511, false}),
            (V{{"spec.synthetic_file.size_bytes", "68719476737 is above 68719476736"},
               {"spec.synthetic_file.block_bytes", "511 is not between 512 and 16777216"}}));
  EXPECT_TRUE(authorized(SyntheticSpawnSpec{}, Policy{}).has_value());
  EXPECT_TRUE(authorized(SyntheticAllocSpec{}, Policy{}).has_value());
  EXPECT_TRUE(authorized(SyntheticFileSpec{}, Policy{}).has_value());
}

KIND_MATRIX(SyntheticTest);

}  // namespace
}  // namespace zokiod::kinds
