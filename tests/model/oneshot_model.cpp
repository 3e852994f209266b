// SPDX-License-Identifier: Apache-2.0
//
// sync::oneshot: the value comes in while the receiver begins to wait, and while it is cancelled.
// Its task is woken once, gets the value or says why not, and the state goes with the last of both.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/workers.h"
#include "zokio/sync/oneshot.h"

namespace zokio::sync {
namespace {

using model::Execution;
using model::explore;
using model::Workers;

enum Outcome : int { kNothing = 0, kCancelled = -1, kClosed = -2 };

Task<void> receive(OneshotReceiver<int> receiver, int* out) {
  Result<int> value = co_await receiver.recv();
  if (value.has_value())
    *out = *value;
  else
    *out = value.error().code == Errc::Cancelled ? kCancelled : kClosed;
}

TEST(OneshotModel, TheValueArrives) {
  EXPECT_HOLDS(explore("oneshot: send and receive", {}, [](Execution& run) {
    Workers workers;
    int out = kNothing;
    auto [sender, receiver] = oneshot<int>();
    workers.spawn(receive, std::move(receiver), &out).detach();
    workers.start(run);
    run.thread("sender", [s = &sender] { s->send(7); });
    run.go();
    MODEL_CHECK(out == 7, "received");
  }));
}

TEST(OneshotModel, TheSenderGoes) {
  EXPECT_HOLDS(explore("oneshot: the sender goes", {}, [](Execution& run) {
    Workers workers;
    int out = kNothing;
    auto [sender, receiver] = oneshot<int>();
    workers.spawn(receive, std::move(receiver), &out).detach();
    workers.start(run);
    run.thread("sender", [s = &sender] { OneshotSender<int> gone(std::move(*s)); });
    run.go();
    MODEL_CHECK(out == kClosed, "told");
  }));
}

TEST(OneshotModel, SentAndCancelled) {
  EXPECT_HOLDS(explore("oneshot: send and cancel", {}, [](Execution& run) {
    Workers workers;
    int out = kNothing;
    auto [sender, receiver] = oneshot<int>();
    auto handle = workers.spawn(receive, std::move(receiver), &out);
    workers.start(run);
    run.thread("sender", [s = &sender] { s->send(7); });
    run.thread("canceller", [&] { handle.cancel(); });
    run.go();
    MODEL_CHECK(out == 7 || out == kCancelled, "one of the two");
  }));
}

}  // namespace
}  // namespace zokio::sync
