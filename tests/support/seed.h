// SPDX-License-Identifier: Apache-2.0
#pragma once

// Seeds of randomised tests: ZOKIO_TEST_SEED gives one, otherwise each run has its own; a failing
// test prints it.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>

namespace zokio::test {

inline uint64_t test_seed() {
  static const uint64_t seed = [] {
    const char* given = std::getenv("ZOKIO_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  }();
  return seed;
}

}  // namespace zokio::test

#define ZOKIO_SEED_TRACE() \
  SCOPED_TRACE("reproduce with ZOKIO_TEST_SEED=" + std::to_string(::zokio::test::test_seed()))
