// SPDX-License-Identifier: Apache-2.0
#include "zokio/generator.h"

#include <gtest/gtest.h>

#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "zokio/mem/pools.h"

namespace zokio {
namespace {

static_assert(std::ranges::input_range<Generator<int>>);

Generator<int> count(int from, int to) {
  for (int i = from; i < to; ++i) co_yield i;
}
Generator<int> in_order(int low, int high) {
  if (low >= high) co_return;
  const int middle = low + (high - low) / 2;
  co_yield elements_of(in_order(low, middle));
  co_yield int{middle};
  co_yield elements_of(in_order(middle + 1, high));
}

TEST(GeneratorTest, YieldsInOrderAndEnds) {
  int expected = 3;
  for (int value : count(3, 10)) EXPECT_EQ(value, expected++);
  EXPECT_EQ(expected, 10);
  for ([[maybe_unused]] int value : count(0, 0)) FAIL() << "nothing to yield";
}

TEST(GeneratorTest, IsARange) {
  std::vector<int> squares;
  auto numbers = count(0, 100);
  for (int value : numbers | std::views::filter([](int v) { return v % 2 == 1; }) |
                       std::views::transform([](int v) { return v * v; }) | std::views::take(3))
    squares.push_back(value);
  EXPECT_EQ(squares, (std::vector<int>{1, 9, 25}));
}

TEST(GeneratorTest, NestsAtAnyDepth) {
  std::vector<int> seen;
  for (int value : in_order(0, 1000)) seen.push_back(value);
  ASSERT_EQ(seen.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

Generator<int> chain(int depth) {
  if (depth == 0) {
    co_yield 1;
    co_yield 2;
    co_return;
  }
  co_yield elements_of(chain(depth - 1));
}
TEST(GeneratorTest, DepthCostsNoStack) {
  int sum = 0;
  for (int value : chain(20'000)) sum += value;
  EXPECT_EQ(sum, 3);
}

Generator<std::unique_ptr<int>> boxes() {
  for (int i = 0; i < 3; ++i) co_yield std::make_unique<int>(i);
}
TEST(GeneratorTest, ElementsCanBeMovedOut) {
  std::vector<std::unique_ptr<int>> kept;
  for (auto& box : boxes()) kept.push_back(std::move(box));
  EXPECT_EQ(*kept[2], 2);
}

Generator<std::string> constants() {
  const std::string fixed = "fixed";
  co_yield fixed;
  co_yield fixed;
}
TEST(GeneratorTest, ConstantsAreCopied) {
  for (std::string& text : constants()) {
    EXPECT_EQ(text, "fixed");
    text = "spoilt";
  }
}

Generator<int> throws_after(int n) {
  for (int i = 0; i < n; ++i) co_yield i;
  throw std::runtime_error("end");
}
Generator<int> survives() {
  bool threw = false;
  try {
    co_yield elements_of(throws_after(2));
  } catch (const std::runtime_error&) {
    threw = true;
  }
  if (threw) co_yield 100;
  co_yield elements_of(throws_after(1));
}
TEST(GeneratorTest, ExceptionsReachWhoAsked) {
  int sum = 0;
  EXPECT_THROW(
      {
        for (int value : throws_after(3)) sum += value;
      },
      std::runtime_error);
  EXPECT_EQ(sum, 3);
  std::vector<int> seen;
  EXPECT_THROW(
      {
        for (int value : survives()) seen.push_back(value);
      },
      std::runtime_error);
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 100, 0}));
}

Generator<int> holds(std::shared_ptr<int> alive) {
  auto inner = alive;
  co_yield elements_of(count(*inner, 1000));
}
TEST(GeneratorTest, DroppedInTheMiddleItGivesEverythingBack) {
  const uint64_t before = mem::snapshot(mem::PoolId::Frames).objects_in_use;
  auto alive = std::make_shared<int>(1);
  for (int value : holds(alive))
    if (value == 5) break;
  EXPECT_EQ(alive.use_count(), 1);
  {
    auto never_started = holds(alive);
    auto moved = std::move(never_started);
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, before);
}

}  // namespace
}  // namespace zokio
