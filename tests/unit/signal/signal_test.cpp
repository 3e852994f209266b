// SPDX-License-Identifier: Apache-2.0

// Signals of this process, read by tasks on both backends.

#include "zokio/signal/signal.h"

#include <signal.h>
#include <unistd.h>

#include "../io/ops_fixture.h"

namespace zokio::signal {
namespace {

class SignalTest : public test::BufferTest {
 protected:
  void SetUp() override {
    block({SIGUSR1, SIGUSR2});
    test::BufferTest::SetUp();
  }
};
using std::chrono::milliseconds;

Task<void> received() {
  auto signals = Signals::open({SIGUSR1, SIGUSR2});
  CO_ASSERT_OK(signals);
  auto quiet = co_await with_timeout(signals->next(), milliseconds(5));
  CO_ASSERT(!quiet.has_value());
  EXPECT_EQ(quiet.error().code, Errc::DeadlineExceeded);
  for (int round = 0; round < 50; ++round) {
    const int number = round % 2 == 0 ? SIGUSR1 : SIGUSR2;
    CO_ASSERT(kill(getpid(), number) == 0);
    auto got = co_await signals->next();
    CO_ASSERT_OK(got);
    EXPECT_EQ(got->number, number);
    EXPECT_EQ(got->pid, getpid());
    EXPECT_EQ(got->uid, getuid());
  }
}

TEST_P(SignalTest, EachIsRead) {
  ASSERT_TRUE(runtime_->block_on(received).has_value());
}

Task<Result<int>> wait_once(Signals* signals) {
  ZOKIO_CO_TRY(const SignalInfo info, co_await signals->next());
  co_return info.number;
}

// A cancel and the signal race: it is delivered to the one that was cut, or to the next.
Task<void> cancelled() {
  auto signals = Signals::open({SIGUSR1});
  CO_ASSERT_OK(signals);
  unsigned ended = 0;
  unsigned cut = 0;
  unsigned sent = 0;
  for (int round = 0; round < 40; ++round) {
    const unsigned before = ended;
    co_await test::cancel_at_every_point(
        [&](unsigned) {
          auto task = spawn(wait_once, &*signals);
          EXPECT_EQ(kill(getpid(), SIGUSR1), 0);
          ++sent;
          return task;
        },
        1, &ended, &cut);
    if (ended > before) continue;
    auto late = co_await wait_once(&*signals);
    CO_ASSERT_OK(late);
    ++ended;
  }
  EXPECT_EQ(ended, sent);
}

TEST_P(SignalTest, ACancelLosesNone) {
  ASSERT_TRUE(runtime_->block_on(cancelled).has_value());
}

TEST_P(SignalTest, WhatCannotBeRead) {
  EXPECT_EQ(Signals::open({SIGKILL}).error().code, Errc::InvalidArgument);
  EXPECT_EQ(Signals::open({12345}).error().code, Errc::InvalidArgument);
  EXPECT_EQ(Signals::open({SIGWINCH}).error().code, Errc::FailedPrecondition);
}

ZOKIO_RUNTIME_MATRIX(SignalTest);

}  // namespace
}  // namespace zokio::signal
