// SPDX-License-Identifier: Apache-2.0
//
// sched::TaskRegistry on one thread: entries that come back from other workers. Its races are in
// tests/model/registry_model.cpp.

#include "sched/task_registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <vector>

namespace zokio::sched {
namespace {

constexpr uint32_t kTasks = 100'000;

std::vector<task::Header> insert(TaskRegistry& registry, uint32_t count) {
  std::vector<task::Header> tasks(count);
  for (task::Header& task : tasks) registry.insert(&task, 0, "");
  return tasks;
}

TEST(TaskRegistry, EntriesThatEndedElsewhereAreUsedAgain) {
  TaskRegistry registry;
  std::vector<task::Header> first = insert(registry, kTasks);
  const uint64_t bytes = registry.bytes();
  for (uint32_t i = 0; i < kTasks; ++i) registry.remove(&first[i], i % 2);
  const std::vector<task::Header> second = insert(registry, kTasks);
  EXPECT_EQ(registry.bytes(), bytes);
  std::set<uint32_t> slots;
  for (const task::Header& task : second) slots.insert(task.slot);
  EXPECT_EQ(slots.size(), kTasks);
  uint32_t seen = 0;
  registry.for_each([&](task::Header*) { return ++seen != 0; });
  EXPECT_EQ(seen, kTasks);
}

TEST(TaskRegistry, MemoryGoesWithTheLastTask) {
  TaskRegistry registry;
  for (int round = 0; round < 2; ++round) {
    std::vector<task::Header> tasks = insert(registry, kTasks);
    for (uint32_t i = 1; i < kTasks; ++i) registry.remove(&tasks[i], i % 3);
    const uint64_t bytes = registry.bytes();
    registry.release_if_empty(0);
    EXPECT_EQ(registry.bytes(), bytes);
    EXPECT_GT(registry.id_of(&tasks[0]), 0u);
    registry.remove(&tasks[0], 1);
    registry.release_if_empty(0);
    EXPECT_EQ(registry.bytes(), 0u);
  }
}

// A worker looks before each sleep, and every timer of its own waits meanwhile.
TEST(TaskRegistry, ALookBeforeSleepingDoesNotWalk) {
  auto shortest = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 5; ++round) {
    TaskRegistry registry;
    std::vector<task::Header> tasks = insert(registry, kTasks);
    for (uint32_t i = 1; i < kTasks; ++i) registry.remove(&tasks[i], 1);
    const auto begin = std::chrono::steady_clock::now();
    registry.release_if_empty(0);
    shortest = std::min(shortest, std::chrono::steady_clock::now() - begin);
    registry.remove(&tasks[0], 0);
  }
  EXPECT_LT(shortest, std::chrono::microseconds(20));  // a walk takes ten times that
}

}  // namespace
}  // namespace zokio::sched
