// SPDX-License-Identifier: Apache-2.0
//
// sched::LocalQueue, with room for four: the owner pushes and pops, thieves steal, the surplus goes
// to the injector. Every task comes out exactly once, and who gets it sees what was written before
// it was pushed. Each thief's queue is emptied by the thief itself, and by another thief.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/taken_once.h"
#include "sched/bag_queue.h"
#include "sched/local_queue.h"

namespace zokio::sched {
namespace {

using model::Execution;
using model::explore;

static_assert(kLocalQueueSlots == 4, "a model's capacity");

class Items : public model::TakenOnce<task::Header, 8> {
 public:
  void took_all(BagQueue& queue) {
    while (const task::Header* task = queue.take_one()) took(task);
  }
};

void empty(Items& items, LocalQueue& queue) {
  while (task::Header* task = queue.pop()) items.took(task);
}

// Moves the indices on.
void spin_up(LocalQueue& queue, BagQueue& inject, unsigned laps) {
  task::Header dummy;
  for (unsigned i = 0; i < laps; ++i) {
    queue.push(&dummy, inject);
    MODEL_CHECK(queue.pop() == &dummy, "one in, one out");
  }
}

TEST(LocalQueueModel, OwnerAndThief) {
  EXPECT_HOLDS(explore("local_queue: push, pop, steal", {}, [](Execution& run) {
    Items items;
    BagQueue inject;
    LocalQueue own, other;
    spin_up(own, inject, 3);
    run.thread("owner", [&] {
      for (unsigned i = 0; i < 3; ++i) own.push(items.make(i), inject);
      if (task::Header* task = own.pop()) items.took(task);
      own.push(items.make(3), inject);
      if (task::Header* task = own.pop()) items.took(task);
    });
    run.thread("thief", [&] {
      for (int i = 0; i < 2; ++i) {
        const LocalQueue::Stolen stolen = own.steal_into(other);
        if (stolen.first != nullptr) items.took(stolen.first);
        if (task::Header* task = other.pop()) items.took(task);
      }
    });
    run.go();
    empty(items, own);
    empty(items, other);
    MODEL_CHECK(inject.empty(), "there was room");
    items.expect(4);
  }));
}

// Indices count on for ever: past every power of two that a narrower type could hold cheaply.
TEST(LocalQueueModel, IndicesPass256) {
  const model::Options few{
      .preemptions = 1, .stale = 0, .spurious = 0, .random = 20, .search_deeper = false};
  EXPECT_HOLDS(explore("local_queue: after 254 tasks", few, [](Execution& run) {
    Items items;
    BagQueue inject;
    LocalQueue own, other;
    spin_up(own, inject, 254);
    run.thread("owner", [&] {
      for (unsigned i = 0; i < 4; ++i) own.push(items.make(i), inject);
      if (task::Header* task = own.pop()) items.took(task);
    });
    run.thread("thief", [&] {
      const LocalQueue::Stolen stolen = own.steal_into(other);
      if (stolen.first != nullptr) items.took(stolen.first);
    });
    run.go();
    empty(items, own);
    empty(items, other);
    MODEL_CHECK(inject.empty(), "there was room");
    items.expect(4);
  }));
}

TEST(LocalQueueModel, TheLastTask) {
  EXPECT_HOLDS(explore("local_queue: one task, owner and two thieves", {}, [](Execution& run) {
    Items items;
    BagQueue inject;
    LocalQueue own, one, two;
    run.thread("owner", [&] {
      own.push(items.make(0), inject);
      if (task::Header* task = own.pop()) items.took(task);
    });
    for (LocalQueue* mine : {&one, &two}) {
      run.thread(mine == &one ? "thief 1" : "thief 2", [&, mine] {
        const LocalQueue::Stolen stolen = own.steal_into(*mine);
        if (stolen.first != nullptr) items.took(stolen.first);
        MODEL_CHECK(stolen.count <= 1, "there is only one");
      });
    }
    run.go();
    empty(items, own);
    items.expect(1);
  }));
}

TEST(LocalQueueModel, OverflowBesideAThief) {
  EXPECT_HOLDS(explore("local_queue: overflow and steal", {}, [](Execution& run) {
    Items items;
    BagQueue inject;
    LocalQueue own, other;
    for (unsigned i = 0; i < kLocalQueueSlots; ++i) own.push(items.make(i), inject);
    run.thread("owner", [&] {
      own.push(items.make(4), inject);
      own.push(items.make(5), inject);
      if (task::Header* task = own.pop()) items.took(task);
    });
    run.thread("thief", [&] {
      const LocalQueue::Stolen stolen = own.steal_into(other);
      if (stolen.first != nullptr) items.took(stolen.first);
      empty(items, other);
    });
    run.go();
    empty(items, own);
    items.took_all(inject);
    items.expect(6);
  }));
}

TEST(LocalQueueModel, AThiefIsRobbed) {
  EXPECT_HOLDS(explore("local_queue: steal from a thief", {}, [](Execution& run) {
    Items items;
    BagQueue inject;
    LocalQueue own, one, two;
    for (unsigned i = 0; i < 3; ++i) own.push(items.make(i), inject);
    run.thread("thief 1", [&] {
      const LocalQueue::Stolen stolen = own.steal_into(one);
      if (stolen.first != nullptr) items.took(stolen.first);
      empty(items, one);
    });
    run.thread("thief 2", [&] {
      const LocalQueue::Stolen stolen = one.steal_into(two);
      if (stolen.first != nullptr) items.took(stolen.first);
      empty(items, two);
    });
    run.go();
    empty(items, own);
    items.expect(3);
  }));
}

// The slots that a slow thief still copies from are not free for what this thief brings home.
TEST(LocalQueueModel, AThiefStealsWhileItIsRobbed) {
  EXPECT_HOLDS(explore("local_queue: a robbed thief steals", {}, [](Execution& run) {
    Items items;
    BagQueue inject;
    LocalQueue full, own, two;
    for (unsigned i = 0; i < 4; ++i) full.push(items.make(i), inject);
    for (unsigned i = 4; i < 8; ++i) own.push(items.make(i), inject);
    run.thread("thief 1", [&] {
      for (int i = 0; i < 2; ++i)
        if (task::Header* task = own.pop()) items.took(task);
      const LocalQueue::Stolen stolen = full.steal_into(own);
      if (stolen.first != nullptr) items.took(stolen.first);
    });
    run.thread("thief 2", [&] {
      const LocalQueue::Stolen stolen = own.steal_into(two);
      if (stolen.first != nullptr) items.took(stolen.first);
    });
    run.go();
    empty(items, full);
    empty(items, own);
    empty(items, two);
    items.expect(8);
  }));
}

}  // namespace
}  // namespace zokio::sched
