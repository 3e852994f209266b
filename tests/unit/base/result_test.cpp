// SPDX-License-Identifier: Apache-2.0
#include "zokio/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace zokio {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Errc::InvalidArgument, "half");
  return n / 2;
}
Result<int> quarter(int n) {
  ZOKIO_TRY(const int once, half(n));
  ZOKIO_TRY(const int twice, half(once));
  return twice;
}
Result<std::unique_ptr<int>> boxed(int n) {
  ZOKIO_TRY(const int value, half(n));
  return std::make_unique<int>(value);
}
Result<void> both(int a, int b) {
  ZOKIO_CHECKED(half(a));
  ZOKIO_CHECKED(half(b));
  return {};
}

TEST(Result, TryPassesValuesOnAndErrorsUp) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().code, Errc::InvalidArgument);
  EXPECT_EQ(**boxed(4), 2);
  EXPECT_TRUE(both(2, 4).has_value());
  EXPECT_FALSE(both(2, 3).has_value());
}

TEST(Result, OutcomesDoNotNest) {
  static_assert(std::is_same_v<Outcome<int>, Result<int>>);
  static_assert(std::is_same_v<Outcome<Result<int>>, Result<int>>);
  static_assert(std::is_same_v<Outcome<void>, Result<void>>);
}

}  // namespace
}  // namespace zokio
