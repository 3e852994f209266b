// SPDX-License-Identifier: Apache-2.0

// The stacks beside the other pools: in the runtime's figures, capped and trimmed by their name.

#include <algorithm>
#include <cstring>

#include "fiber/stack_pool.h"
#include "fiber_fixture.h"
#include "zokio/mem/pools.h"

namespace zokio {
namespace {

using ShownStacks = test::FiberTest;

PoolSnapshot stacks_of(const RuntimeSnapshot& runtime) {
  const auto at = std::ranges::find(runtime.pools, "stacks", &PoolSnapshot::name);
  EXPECT_NE(at, runtime.pools.end());
  return at == runtime.pools.end() ? PoolSnapshot() : *at;
}

TEST_P(ShownStacks, EachFigureMoves) {
  fibers::trim_stacks();
  const PoolSnapshot before = stacks_of(runtime_->stats());
  EXPECT_EQ(before.objects_in_use, 0u);
  EXPECT_EQ(before.cached_bytes, 0u);
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  fibers::Stack* stack = *fibers::stack_pool().acquire(kBytes);
  std::memset(stack->bottom(), 1, kBytes);
  const PoolSnapshot in_use = stacks_of(runtime_->stats());
  EXPECT_EQ(in_use.objects_in_use, 1u);
  EXPECT_EQ(in_use.in_use_bytes, kBytes);
  EXPECT_EQ(in_use.misses_os, before.misses_os + 1);
  EXPECT_EQ(in_use.frees, before.frees);
  EXPECT_GE(in_use.high_water_bytes, kBytes);
  // A cap below what is used.
  auto refused = runtime_->resize_pool("stacks", kBytes / 2);
  EXPECT_EQ(refused.error(), Error(Errc::FailedPrecondition, "", Detail::Limit));
  EXPECT_FALSE(runtime_->check_pool("stacks", kBytes / 2).has_value());
  EXPECT_TRUE(runtime_->check_pool("stacks", kBytes / 2, /*force=*/true).has_value());
  auto forced = runtime_->resize_pool("stacks", kBytes / 2, /*force=*/true);
  ASSERT_TRUE(forced.has_value());
  EXPECT_EQ(forced->component, "pool.stacks");
  EXPECT_EQ(forced->residual_bytes, kBytes / 2);
  EXPECT_TRUE(stacks_of(runtime_->stats()).shrinking);
  EXPECT_FALSE(fibers::stack_pool().acquire(kBytes).has_value());
  const PoolSnapshot full = stacks_of(runtime_->stats());
  EXPECT_EQ(full.failures_limit, before.failures_limit + 1);
  EXPECT_EQ(full.limit_bytes, kBytes / 2);
  fibers::stack_pool().release(stack);
  const PoolSnapshot gone = stacks_of(runtime_->stats());
  EXPECT_FALSE(gone.shrinking);
  EXPECT_EQ(gone.frees, before.frees + 1);
  EXPECT_GE(gone.released_bytes, before.released_bytes + kBytes);
  auto open = runtime_->resize_pool("stacks", 0);
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->from, kBytes / 2);
}

TEST_P(ShownStacks, TrimAndLowerCapsEmptyTheCache) {
  constexpr std::size_t kBytes = std::size_t{256} << 10;
  const auto cache_two = [] {
    fibers::Stack* a = *fibers::stack_pool().acquire(kBytes);
    fibers::Stack* b = *fibers::stack_pool().acquire(kBytes);
    std::memset(a->bottom(), 1, kBytes);
    fibers::stack_pool().release(a);
    fibers::stack_pool().release(b);
  };
  fibers::trim_stacks();
  cache_two();
  EXPECT_EQ(stacks_of(runtime_->stats()).cached_bytes, 2 * kBytes);
  EXPECT_GE(runtime_->trim(), kBytes);
  EXPECT_EQ(stacks_of(runtime_->stats()).cached_bytes, 0u);
  cache_two();
  auto lowered = runtime_->resize_pool("stacks", kBytes);
  ASSERT_TRUE(lowered.has_value());
  EXPECT_GE(lowered->released_bytes, 0u);
  EXPECT_EQ(lowered->residual_bytes, 0u);
  EXPECT_EQ(stacks_of(runtime_->stats()).cached_bytes, kBytes);
  EXPECT_EQ(stacks_of(runtime_->stats()).hits_shared, fibers::stack_snapshot().reused);
  ASSERT_TRUE(runtime_->resize_pool("stacks", 0).has_value());
  EXPECT_EQ(runtime_->resize_pool("nonsense", 0).error().code, Errc::NotFound);
}

// Two runtimes show one pool, once.
TEST_P(ShownStacks, OnceForTheProcess) {
  RuntimeOptions options;
  options.workers = 1;
  auto second = Runtime::create(std::move(options));
  ASSERT_TRUE(second.has_value());
  const RuntimeSnapshot now = (*second)->stats();
  EXPECT_EQ(std::ranges::count(now.pools, "stacks", &PoolSnapshot::name), 1);
}

ZOKIO_RUNTIME_MATRIX(ShownStacks);

}  // namespace
}  // namespace zokio
