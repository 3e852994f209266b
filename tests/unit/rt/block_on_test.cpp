// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using BlockOn = test::RuntimeTest;

Task<int> answer(int value) {
  co_return value;
}
Task<int> thrower() {
  throw std::runtime_error("no");
  co_return 0;
}
Task<Result<int>> failing() {
  co_return fail(Errc::NotFound, "failing");
}
Task<int> deep(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await deep(depth - 1);
  co_return below + 1;
}
Task<int> many_awaits(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await answer(1);
  co_return sum;
}

TEST_P(BlockOn, YieldsTheValue) {
  EXPECT_EQ(*runtime_->block_on(answer, 42), 42);
  EXPECT_EQ(runtime_->block_on(failing).error().code, Errc::NotFound);
}

TEST_P(BlockOn, RethrowsWhatTheTaskThrew) {
  EXPECT_THROW(static_cast<void>(runtime_->block_on(thrower)), std::runtime_error);
}

TEST_P(BlockOn, DepthAndLengthCostNoStack) {
  EXPECT_EQ(*runtime_->block_on(deep, 20'000), 20'000);
  EXPECT_EQ(*runtime_->block_on(many_awaits, 100'000), 100'000);
}

TEST_P(BlockOn, RunsOnAWorker) {
  auto worker = runtime_->block_on([]() -> Task<uint32_t> { co_return task::context().worker; });
  EXPECT_LT(*worker, GetParam().workers);
}

ZOKIO_RUNTIME_MATRIX(BlockOn);

}  // namespace
}  // namespace zokio
