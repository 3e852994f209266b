// SPDX-License-Identifier: Apache-2.0
//
// Forks and joins: a branch is stolen, or becomes a task because the poll ends, while its siblings
// run in place. The parent goes on when all have ended, once, and sees what they wrote; a cancel
// reaches them wherever they are.

#include "zokio/fork.h"

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/workers.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

using model::Execution;
using model::explore;
using model::Workers;

constexpr model::Options kFew{.most = 20'000, .random = 2'000};

// Plain counts: who adds without being ordered with the reader is a race.
Task<int> branch(int* ended) {
  ++*ended;
  co_return *ended;
}

Task<void> fork_two(int* ended, int* seen) {
  auto [a, b] = co_await fork(branch(&ended[0]), branch(&ended[1]));
  *seen += a + b + ended[0] + ended[1];
}

Task<void> fork_three(int* ended, int* seen) {
  auto [a, b, c] = co_await fork(branch(&ended[0]), branch(&ended[1]), branch(&ended[2]));
  *seen += a + b + c;
}

// Ends when it is cancelled.
Task<int> waits(int* ended) {
  auto [sender, receiver] = sync::oneshot<int>();
  auto got = co_await receiver;
  ++*ended;
  co_return got.has_value() ? 0 : 1;
}

Task<void> fork_waits(int* ended, int* seen) {
  auto [a, b] = co_await fork(waits(&ended[0]), waits(&ended[1]));
  *seen += a + b;
}

TEST(ForkModel, TwoBranches) {
  EXPECT_HOLDS(explore("fork: two branches, two workers", {}, [](Execution& run) {
    Workers workers(false, true);
    int ended[2] = {};
    int seen = 0;
    workers.spawn(fork_two, &ended[0], &seen).detach();
    workers.start(run, 2);
    run.go();
    MODEL_CHECK(seen == 4, "both branches ended first");
  }));
}

TEST(ForkModel, ThreeBranches) {
  EXPECT_HOLDS(explore("fork: three branches, three workers", kFew, [](Execution& run) {
    Workers workers(false, true);
    int ended[3] = {};
    int seen = 0;
    workers.spawn(fork_three, &ended[0], &seen).detach();
    workers.start(run, 3);
    run.go();
    MODEL_CHECK(seen == 3, "all branches ended first");
  }));
}

TEST(ForkModel, Cancel) {
  EXPECT_HOLDS(explore("fork: branches that wait, and a cancel", kFew, [](Execution& run) {
    Workers workers(false, true);
    int ended[2] = {};
    int seen = 0;
    auto parent = workers.spawn(fork_waits, &ended[0], &seen);
    workers.start(run, 2);
    run.thread("canceller", [&] { parent.cancel(); });
    run.go();
    MODEL_CHECK(seen == 2 && ended[0] == 1 && ended[1] == 1, "the cancel reaches both");
  }));
}

}  // namespace
}  // namespace zokio
