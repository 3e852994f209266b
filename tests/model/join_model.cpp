// SPDX-License-Identifier: Apache-2.0
//
// JoinHandle: a task ends on one worker while another task begins to wait for it, is cancelled, or
// lets it go. The joiner is woken once and sees the outcome; the frame goes with the last of both.

#include <gtest/gtest.h>

#include <utility>

#include "model/explorer.h"
#include "model/workers.h"

namespace zokio {
namespace {

using model::Execution;
using model::explore;
using model::Workers;

constexpr int kCancelled = -1;

Task<int> seven() {
  co_return 7;
}

Task<void> join(JoinHandle<int> handle, int* out) {
  auto outcome = co_await handle;
  if (!outcome.has_value()) {
    // Cancelled: the task runs on, and the handle can be awaited again.
    *out = outcome.error().code == Errc::Cancelled ? kCancelled : -2;
    outcome = co_await handle.ended();
    MODEL_CHECK(outcome.has_value() && *outcome == 7, "the task itself was not cancelled");
    co_return;
  }
  *out = *outcome;
}

TEST(JoinModel, TheOutcomeArrives) {
  EXPECT_HOLDS(explore("join: end and join", {}, [](Execution& run) {
    Workers workers;
    int out = 0;
    auto task = workers.spawn(seven);
    workers.spawn(join, std::move(task), &out).detach();
    workers.start(run, 2);
    run.go();
    MODEL_CHECK(out == 7, "joined");
  }));
}

TEST(JoinModel, JoinedAndCancelled) {
  EXPECT_HOLDS(explore("join: end, join and cancel", {}, [](Execution& run) {
    Workers workers;
    int out = 0;
    auto task = workers.spawn(seven);
    auto joiner = workers.spawn(join, std::move(task), &out);
    workers.start(run, 2);
    run.thread("canceller", [&] { joiner.cancel(); });
    run.go();
    MODEL_CHECK(out == 7 || out == kCancelled, "one of the two");
  }));
}

// The child is the newest task of the joining worker, which goes straight to it; or a cancel comes
// first.
Task<void> spawn_and_join(int* out) {
  auto child = zokio::spawn(seven);
  auto outcome = co_await child;
  *out = outcome.has_value() ? *outcome : kCancelled;
}

TEST(JoinModel, StraightToTheChild) {
  EXPECT_HOLDS(explore("join: straight to the child, and cancel", {}, [](Execution& run) {
    Workers workers(true);
    int out = 0;
    auto joiner = workers.spawn(spawn_and_join, &out);
    workers.start(run, 2);
    run.thread("canceller", [&] { joiner.cancel(); });
    run.go();
    MODEL_CHECK(out == 7 || out == kCancelled, "one of the two");
  }));
}

// A thread outside the runtime waits.
TEST(JoinModel, AThreadWaits) {
  EXPECT_HOLDS(explore("join: a thread waits", {}, [](Execution& run) {
    Workers workers;
    int out = 0;
    auto task = workers.spawn(seven);
    workers.start(run);
    run.thread("outside", [&] { out = task.wait().value_or(0); });
    run.go();
    MODEL_CHECK(out == 7, "joined");
  }));
}

TEST(JoinModel, LetGoWhileItEnds) {
  EXPECT_HOLDS(explore("join: end and let go", {}, [](Execution& run) {
    Workers workers;
    auto task = workers.spawn(seven);
    workers.start(run);
    run.thread("owner", [&] {
      if (task.finished()) MODEL_CHECK(!task.exception(), "what the task left is visible");
      task.detach();
    });
    run.go();
  }));
}

// Says when it is gone.
class Parameter {
 public:
  explicit Parameter(int* gone) : gone_(gone) {}
  Parameter(Parameter&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  ~Parameter() {
    if (gone_ != nullptr) ++*gone_;
  }

 private:
  int* gone_;
};

Task<int> eight(Parameter) {
  co_return 8;
}

// A parameter is gone, once, before anybody hears of the end.
TEST(JoinModel, ParametersGoBeforeTheEndIsKnown) {
  EXPECT_HOLDS(explore("join: parameters", {}, [](Execution& run) {
    Workers workers;
    int gone = 0;
    auto task = workers.spawn(eight, Parameter(&gone));
    workers.start(run);
    run.thread("owner", [&] {
      if (task.finished()) MODEL_CHECK(gone == 1, "the end was known before");
      task.detach();
    });
    run.go();
    MODEL_CHECK(gone == 1, "once");
  }));
}

}  // namespace
}  // namespace zokio
