// SPDX-License-Identifier: Apache-2.0
#include "sched/local_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "sched/bag_queue.h"

namespace zokio::sched {
namespace {

using Tasks = std::vector<std::unique_ptr<task::Header>>;

Tasks make_tasks(size_t count) {
  Tasks tasks;
  for (size_t i = 0; i < count; ++i) {
    tasks.push_back(std::make_unique<task::Header>());
    tasks.back()->slot = static_cast<uint32_t>(i);
  }
  return tasks;
}

TEST(LocalQueue, PopsOldestFirst) {
  LocalQueue queue;
  BagQueue inject;
  Tasks tasks = make_tasks(3);
  for (auto& task : tasks) EXPECT_FALSE(queue.push(task.get(), inject));
  for (auto& task : tasks) EXPECT_EQ(queue.pop(), task.get());
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(LocalQueue, SpillsTheOlderHalfInOrder) {
  LocalQueue queue;
  BagQueue inject;
  Tasks tasks = make_tasks(kLocalQueueSlots + 1);
  for (size_t i = 0; i < kLocalQueueSlots; ++i) EXPECT_FALSE(queue.push(tasks[i].get(), inject));
  EXPECT_TRUE(queue.push(tasks.back().get(), inject));
  EXPECT_EQ(inject.size(), kLocalQueueSlots / 2 + 1);
  EXPECT_EQ(queue.size(), kLocalQueueSlots / 2);
  for (size_t i = 0; i < kLocalQueueSlots / 2; ++i) EXPECT_EQ(inject.take_one(), tasks[i].get());
  EXPECT_EQ(inject.take_one(), tasks.back().get());
  EXPECT_TRUE(inject.empty());
}

TEST(LocalQueue, StealTakesTheOldestHalf) {
  LocalQueue queue, thief;
  BagQueue inject;
  Tasks tasks = make_tasks(5);
  for (auto& task : tasks) queue.push(task.get(), inject);
  const LocalQueue::Stolen stolen = queue.steal_into(thief);
  EXPECT_EQ(stolen.outcome, LocalQueue::Steal::Hit);
  EXPECT_EQ(stolen.count, 3u);
  EXPECT_EQ(stolen.first, tasks[2].get());
  EXPECT_EQ(thief.pop(), tasks[0].get());
  EXPECT_EQ(thief.pop(), tasks[1].get());
  EXPECT_EQ(queue.pop(), tasks[3].get());
  EXPECT_EQ(queue.steal_into(thief).first, tasks[4].get());
  EXPECT_EQ(queue.steal_into(thief).outcome, LocalQueue::Steal::Empty);
}

// One owner that pushes and pops, thieves that steal, and every task seen exactly once.
TEST(LocalQueue, EveryTaskIsTakenExactlyOnce) {
  constexpr size_t kTasks = 200'000;
  constexpr int kThieves = 3;
  LocalQueue queue;
  BagQueue inject;
  Tasks tasks = make_tasks(kTasks);
  std::vector<std::atomic<uint8_t>> taken(kTasks);
  std::atomic<size_t> total{0};
  auto take = [&](task::Header* task) {
    ASSERT_EQ(taken[task->slot].fetch_add(1), 0) << "task " << task->slot << " was taken twice";
    total.fetch_add(1);
  };
  std::vector<std::thread> thieves;
  for (int i = 0; i < kThieves; ++i)
    thieves.emplace_back([&] {
      LocalQueue own;
      while (total.load() < kTasks) {
        if (task::Header* first = queue.steal_into(own).first) take(first);
        while (task::Header* task = own.pop()) take(task);
        if (task::Header* task = inject.take_one()) take(task);
        std::this_thread::yield();
      }
    });
  for (size_t i = 0; i < kTasks; ++i) {
    queue.push(tasks[i].get(), inject);
    if (i % 3 == 0)
      if (task::Header* task = queue.pop()) take(task);
  }
  while (task::Header* task = queue.pop()) take(task);
  for (std::thread& thief : thieves) thief.join();
  EXPECT_EQ(total.load(), kTasks);
}

}  // namespace
}  // namespace zokio::sched
