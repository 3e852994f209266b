// SPDX-License-Identifier: Apache-2.0
#include "os/futex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace zokio::os {
namespace {

using std::chrono::milliseconds;

TEST(Futex, AnotherValueDoesNotSleep) {
  std::atomic<uint32_t> word{1};
  futex_wait(word, 0, Instant::never());
}

TEST(Futex, TheDeadlineEndsTheSleep) {
  std::atomic<uint32_t> word{0};
  const Instant deadline = Instant::now() + milliseconds(10);
  unsigned sleeps = 0;
  for (; Instant::now() < deadline; ++sleeps) futex_wait(word, 0, deadline);
  EXPECT_LE(sleeps, 10u);  // it may wake early, it may not spin
  futex_wait(word, 0, Instant{0});
  futex_wait(word, 0, Instant{-5});
}

TEST(Futex, AWakeReachesASleeper) {
  std::atomic<uint32_t> word{0};
  for (uint32_t round = 0; round < 2000; ++round) {
    std::thread waker([&] {
      word.store(round + 1, std::memory_order_release);
      futex_wake(word, 1);
    });
    while (word.load(std::memory_order_acquire) == round) futex_wait(word, round, Instant::never());
    waker.join();
  }
}

}  // namespace
}  // namespace zokio::os
