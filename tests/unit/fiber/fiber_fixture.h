// SPDX-License-Identifier: Apache-2.0
#pragma once

// A runtime for each case; afterwards every stack must be back too.

#include "runtime_fixture.h"
#include "zokio/fiber.h"
#include "zokio/fiber/stacks.h"

namespace zokio::test {

class FiberTest : public RuntimeTest {
 protected:
  void TearDown() override {
    RuntimeTest::TearDown();
    EXPECT_EQ(fibers::stack_snapshot().in_use, 0u);
    fibers::trim_stacks();
    EXPECT_EQ(fibers::stack_snapshot().cached_bytes, 0u);
  }
};

}  // namespace zokio::test
