// SPDX-License-Identifier: Apache-2.0
// The synthetic kinds spin, yield, timer, channel, fanout and tcp: sums that are computed here a
// second time, from the seed alone; bounds; cancel.
#include "kind_fixture.h"
#include "kinds/mix.h"
#include "zokio/mem/pools.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticChannelSpec;
using model::SyntheticFanoutSpec;
using model::SyntheticResult;
using model::SyntheticSpinSpec;
using model::SyntheticTcpSpec;
using model::SyntheticTimerSpec;
using model::SyntheticYieldSpec;
using V = Violations;

std::string sum_below(uint64_t seed, uint64_t count) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; ++i) sum += mix(seed, i);
  return checksum_text(sum);
}

class SyntheticSetTest : public KindTest {
 protected:
  void expect_cancelled(model::Work work, bool at_progress = true) {
    FakeContext context(*runtime_, policy(), std::move(work));
    const uint64_t before = zokio::mem::snapshot(zokio::mem::PoolId::Buffers).objects_in_use;
    const auto done =
        run_and_cancel(context, [&] { return !at_progress || context.most_done > 0; });
    ASSERT_FALSE(done.has_value()) << context.job().spec.kind();
    EXPECT_EQ(done.error().error.code, Errc::Cancelled) << done.error().message;
    EXPECT_EQ(zokio::mem::snapshot(zokio::mem::PoolId::Buffers).objects_in_use, before);
  }
};

TEST_P(SyntheticSetTest, SpinYieldAndChannelAddTheSameNumbers) {
  for (const uint32_t tasks : {1u, 3u, 16u}) {
    EXPECT_EQ(result(SyntheticSpinSpec{7, 100'003, tasks}),
              (SyntheticResult{100'003, 0, sum_below(7, 100'003)}));
    EXPECT_EQ(result(SyntheticYieldSpec{7, tasks, 500}),
              (SyntheticResult{tasks * 500, 0, sum_below(7, tasks * 500)}));
    for (const uint32_t capacity : {1u, 64u})
      EXPECT_EQ(result(SyntheticChannelSpec{7, 5'003, tasks, 2, capacity}),
                (SyntheticResult{5'003, 0, sum_below(7, 5'003)}));
  }
  // Fewer pieces than tasks.
  EXPECT_EQ(result(SyntheticSpinSpec{1, 2, 8}).checksum, sum_below(1, 2));
  EXPECT_EQ(result(SyntheticChannelSpec{1, 2, 8, 8, 4}).checksum, sum_below(1, 2));
  EXPECT_NE(result(SyntheticSpinSpec{1, 10, 1}).checksum,
            result(SyntheticSpinSpec{2, 10, 1}).checksum);
  EXPECT_EQ(result(SyntheticYieldSpec{}).operations, 16'000u) << "the defaults";
  EXPECT_EQ(result(SyntheticChannelSpec{}).operations, 10'000u) << "the defaults";
}

TEST_P(SyntheticSetTest, TimerAndFanoutSumsAreThoseOfCounting) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < 500; ++i) sum += mix(mix(3, i), mix(3, i) % 20'000'001);
  EXPECT_EQ(result(SyntheticTimerSpec{3, 500, milliseconds(20)}),
            (SyntheticResult{500, 0, checksum_text(sum)}));
  sum = 0;
  for (uint64_t n = 0; n < 20 * 33; ++n) {
    uint64_t value = mix(9, n);
    for (int i = 0; i < 5; ++i) value = mix(value);
    sum += value;
  }
  EXPECT_EQ(result(SyntheticFanoutSpec{9, 20, 33, 5}),
            (SyntheticResult{660, 0, checksum_text(sum)}));
  EXPECT_EQ(result(SyntheticFanoutSpec{}).operations, 6'400u) << "the defaults";
}

TEST_P(SyntheticSetTest, TcpSumIsThatOfCounting) {
  for (const uint64_t size : {1u, 16'384u, 100'001u}) {
    uint64_t sum = 0;
    for (uint64_t c = 0; c < 3; ++c)
      for (uint64_t offset = 0; offset < size; offset += 16'384)
        sum += mix(mix(5, c) ^ offset, std::min<uint64_t>(16'384, size - offset));
    EXPECT_EQ(result(SyntheticTcpSpec{5, 3, size, 0}),
              (SyntheticResult{3 * ((size + 16'383) / 16'384), 6 * size, checksum_text(sum)}));
  }
}

TEST_P(SyntheticSetTest, Cancelled) {
  // Far more than any machine does before the cancel arrives.
  expect_cancelled(SyntheticSpinSpec{1, 1'000'000'000'000, 2});
  expect_cancelled(SyntheticYieldSpec{1, 8, 100'000'000});
  expect_cancelled(SyntheticTimerSpec{1, 1000, std::chrono::hours(1)}, false);
  expect_cancelled(SyntheticChannelSpec{1, 100'000'000, 4, 4, 64});
  expect_cancelled(SyntheticFanoutSpec{1, 100'000, 100, 10'000});
  expect_cancelled(SyntheticTcpSpec{1, 4, 64ull << 30, 0});
}

TEST_P(SyntheticSetTest, Limits) {
  EXPECT_EQ(violations(SyntheticSpinSpec{0, 1'000'000'000'000, 1024}), V{});
  EXPECT_EQ(violations(SyntheticSpinSpec{0, 1'000'000'000'001, 1025}),
            (V{{"spec.synthetic_spin.iterations", "1000000000001 is above 1000000000000"},
               {"spec.synthetic_spin.tasks", "1025 is above 1024"}}));
  EXPECT_EQ(violations(SyntheticYieldSpec{0, 100'001, 100'000'001}),
            (V{{"spec.synthetic_yield.tasks", "100001 is above 100000"},
               {"spec.synthetic_yield.yields", "100000001 is above 100000000"}}));
  EXPECT_EQ(violations(SyntheticTimerSpec{0, 1'000'001, std::chrono::hours(2)}),
            (V{{"spec.synthetic_timer.timers", "1000001 is above 1000000"},
               {"spec.synthetic_timer.delay_max", "not between 0 and 1 hour"}}));
  EXPECT_EQ(violations(SyntheticChannelSpec{0, 100'000'001, 10'001, 10'001, 1'000'001}),
            (V{{"spec.synthetic_channel.messages", "100000001 is above 100000000"},
               {"spec.synthetic_channel.producers", "10001 is above 10000"},
               {"spec.synthetic_channel.consumers", "10001 is above 10000"},
               {"spec.synthetic_channel.capacity", "1000001 is above 1000000"}}));
  EXPECT_EQ(violations(SyntheticFanoutSpec{0, 101, 100'000, 1}),
            (V{{"spec.synthetic_fanout.rounds", "101 is above 100"}}));
  EXPECT_EQ(violations(SyntheticTcpSpec{0, 1001, (64ull << 30) + 1, (1 << 20) + 1}),
            (V{{"spec.synthetic_tcp.connections", "1001 is above 1000"},
               {"spec.synthetic_tcp.size_bytes", "68719476737 is above 68719476736"},
               {"spec.synthetic_tcp.block_bytes", "1048577 is above 1048576"}}));
  for (const KindInfo* kind : catalog())
    if (kind->name.starts_with("synthetic.")) EXPECT_TRUE(kind->allowed(Policy{})) << kind->name;
}

KIND_MATRIX(SyntheticSetTest);

}  // namespace
}  // namespace zokiod::kinds
