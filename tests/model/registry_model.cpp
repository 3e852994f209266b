// SPDX-License-Identifier: Apache-2.0
//
// sched::TaskRegistry: tasks begin and end on several workers while somebody walks over all of
// them. No two live tasks share an entry, a walker never touches a task that is gone, and entries
// come back to their shard.

#include <gtest/gtest.h>

#include <iterator>

#include "model/explorer.h"
#include "sched/task_registry.h"

namespace zokio::sched {
namespace {

using model::Execution;
using model::explore;

// A task is memory that goes when it has left the registry.
struct Live {
  Live(TaskRegistry& r, uint32_t worker) : registry(r), task(new task::Header) {
    task->status = 7;
    registry.insert(task, worker, "");
  }
  void end(uint32_t worker) {
    registry.remove(task, worker);
    delete task;
    task = nullptr;
  }
  TaskRegistry& registry;
  task::Header* task;
};

unsigned walk(TaskRegistry& registry) {
  unsigned seen = 0;
  registry.for_each([&](task::Header* task) {
    MODEL_CHECK(task->status == 7, "a task that is walked over is there, and complete");
    ++seen;
    return true;
  });
  return seen;
}

TEST(RegistryModel, EndedElsewhereWhileWalked) {
  EXPECT_HOLDS(explore("registry: ends at home and elsewhere, and a walk", {}, [](Execution& run) {
    TaskRegistry registry;
    Live a(registry, 0), b(registry, 0);
    run.thread("home", [&] { a.end(0); });
    run.thread("elsewhere", [&] { b.end(1); });
    run.thread("walker", [&] { walk(registry); });
    run.go();
    MODEL_CHECK(walk(registry) == 0, "all have left");
  }));
}

TEST(RegistryModel, EntriesComeBack) {
  const model::Options few{.most = 20'000, .random = 2'000};
  EXPECT_HOLDS(explore("registry: entries come back to a new task", few, [](Execution& run) {
    TaskRegistry registry;
    Live a(registry, 0), b(registry, 0);
    const uint64_t chunk = registry.bytes();  // of two entries
    task::Header *c = nullptr, *d = nullptr;
    run.thread("home", [&] {
      Live one(registry, 0), two(registry, 0);
      c = one.task;
      d = two.task;
    });
    run.thread("elsewhere 1", [&] { a.end(1); });
    run.thread("elsewhere 2", [&] { b.end(2); });
    run.go();
    MODEL_CHECK(c->slot != d->slot, "each has its own entry");
    MODEL_CHECK(walk(registry) == 2, "both are found");
    for (task::Header* task : {c, d}) {
      registry.remove(task, 0);
      delete task;
    }
    const uint64_t held = registry.bytes();
    task::Header all[6];
    const uint64_t entries = held / chunk * 2;
    MODEL_CHECK(entries <= std::size(all), "two chunks, or three");
    for (uint64_t i = 0; i < entries; ++i) registry.insert(&all[i], 0, "");
    MODEL_CHECK(registry.bytes() == held, "no entry was lost");
    for (uint64_t i = 0; i < entries; ++i) registry.remove(&all[i], 0);
  }));
}

TEST(RegistryModel, BornWhileWalked) {
  EXPECT_HOLDS(explore("registry: begins and ends during a walk", {}, [](Execution& run) {
    TaskRegistry registry;
    Live a(registry, 0);
    run.thread("home", [&] {
      a.end(0);
      Live b(registry, 0);  // in the same entry
      b.end(0);
    });
    run.thread("walker", [&] {
      walk(registry);
      walk(registry);
    });
    run.go();
    MODEL_CHECK(walk(registry) == 0, "all have left");
  }));
}

}  // namespace
}  // namespace zokio::sched
