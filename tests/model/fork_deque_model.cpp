// SPDX-License-Identifier: Apache-2.0
//
// task::ForkDeque, with room for four: the owner pushes, shares, and pops; thieves steal. Every
// branch comes out exactly once, and who gets it sees what was written before it was pushed; what
// the owner pops is what it pushed last of what is left.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/taken_once.h"
#include "zokio/task/fork_deque.h"
#include "zokio/task/promise.h"

namespace zokio::task {
namespace {

using model::Execution;
using model::explore;

static_assert(kForkSlots == 4, "a model's capacity");

using Branches = model::TakenOnce<Promise, 10>;

// As at a fork.
void push(ForkDeque& deque, Promise* branch) {
  MODEL_CHECK(deque.room(1), "there is room");
  deque.push(branch);
  if (!deque.asked()) return;
  deque.answer();
  deque.share();
}

void empty(Branches& branches, ForkDeque& deque) {
  while (Promise* branch = deque.pop()) branches.took(branch);
}

TEST(ForkDequeModel, OwnerAndThief) {
  EXPECT_HOLDS(explore("fork_deque: push, pop, steal", {}, [](Execution& run) {
    Branches branches;
    ForkDeque deque;
    run.thread("owner", [&] {
      for (unsigned i = 0; i < 3; ++i) push(deque, branches.make(i));
      if (Promise* branch = deque.pop()) branches.took(branch);
      push(deque, branches.make(3));
      empty(branches, deque);
    });
    run.thread("thief", [&] {
      for (int i = 0; i < 2; ++i)
        if (Promise* branch = deque.steal()) branches.took(branch);
    });
    run.go();
    MODEL_CHECK(deque.pop() == nullptr, "the owner left nothing");
    branches.expect(4);
  }));
}

// The same index with another branch in it, shared anew: a thief that stood there must not take the
// one it saw before.
TEST(ForkDequeModel, TheSameSlotAgain) {
  EXPECT_HOLDS(explore("fork_deque: one slot, twice", {}, [](Execution& run) {
    Branches branches;
    ForkDeque deque;
    run.thread("owner", [&] {
      for (unsigned i = 0; i < 3; ++i) {
        push(deque, branches.make(i));
        empty(branches, deque);
      }
    });
    run.thread("thief", [&] {
      if (Promise* branch = deque.steal()) branches.took(branch);
    });
    run.go();
    branches.expect(3);
  }));
}

// The owner goes once around the ring while a thief is between its claim and its look at the slot.
TEST(ForkDequeModel, AroundTheRing) {
  EXPECT_HOLDS(explore("fork_deque: around the ring", {}, [](Execution& run) {
    Branches branches;
    ForkDeque deque;
    unsigned made = 0;
    run.thread("owner", [&] {
      for (int i = 0; i < 6; ++i)
        if (deque.room(1)) push(deque, branches.make(made++));
    });
    run.thread("thief", [&] {
      for (int i = 0; i < 2; ++i)
        if (Promise* branch = deque.steal()) branches.took(branch);
    });
    run.go();
    empty(branches, deque);
    branches.expect(made);
  }));
}

TEST(ForkDequeModel, TwoThieves) {
  EXPECT_HOLDS(explore("fork_deque: two thieves", {}, [](Execution& run) {
    Branches branches;
    ForkDeque deque;
    run.thread("owner", [&] {
      for (unsigned i = 0; i < 2; ++i) push(deque, branches.make(i));
      empty(branches, deque);
    });
    for (const char* name : {"thief", "other thief"})
      run.thread(name, [&] {
        if (Promise* branch = deque.steal()) branches.took(branch);
      });
    run.go();
    empty(branches, deque);
    branches.expect(2);
  }));
}

}  // namespace
}  // namespace zokio::task
