// SPDX-License-Identifier: Apache-2.0
#pragma once

// Assertions for coroutines, where the ASSERT_ family cannot return.

#include <gtest/gtest.h>

// Ends the coroutine (Task<void>) when `condition` is false. No co_await inside.
#define CO_ASSERT(condition)                        \
  do {                                              \
    if (!(condition)) {                             \
      ADD_FAILURE() << "CO_ASSERT(" #condition ")"; \
      co_return;                                    \
    }                                               \
  } while (false)

// The same for a Result; shows its error.
#define CO_ASSERT_OK(result)                                         \
  do {                                                               \
    if (!(result).has_value()) {                                     \
      ADD_FAILURE() << #result ": " << (result).error().to_string(); \
      co_return;                                                     \
    }                                                                \
  } while (false)
