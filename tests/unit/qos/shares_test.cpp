// SPDX-License-Identifier: Apache-2.0
//
// Who gets how much, in virtual time. What tasks write to is declared before the world, which lets
// them run to their ends when it goes.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "virtual_workers.h"
#include "zokio/sync/event.h"
#include "zokio/time/sleep.h"

namespace zokio::qos {
namespace {

using namespace std::chrono_literals;

constexpr Duration us(int64_t n) {
  return std::chrono::microseconds(n);
}

// Computes in polls of `poll` until the world stops, and counts the microseconds.
Task<void> burn(VirtualWorkers* world, int64_t* work, Duration poll) {
  while (!world->stop) {
    world->spend(poll);
    *work += poll.count() / 1000;
    co_await yield_now();
  }
}

void flood(Group& group, VirtualWorkers& world, int64_t* work, Duration poll, int tasks = 4) {
  for (int i = 0; i < tasks; ++i) group.spawn(burn, &world, work, poll)->detach();
}

double share(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

class Shares : public testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Workers, Shares, testing::Values(1u, 2u, 5u));

TEST_P(Shares, TwoGroupsGetWorkByShares) {
  int64_t work_a = 0, work_b = 0;
  VirtualWorkers world(GetParam());
  Group a = world.group({.name = "a", .shares = 300});
  Group b = world.group({.name = "b", .shares = 100});
  flood(a, world, &work_a, us(10), 16);
  flood(b, world, &work_b, us(10), 16);
  world.run_for(200ms);
  EXPECT_NEAR(share(work_a, work_a + work_b), 0.75, 0.02);
  EXPECT_NEAR(share(work_a + work_b, 200'000), GetParam(), 0.05 * GetParam());
}

TEST_P(Shares, ThreeGroupsWhateverTheirPolls) {
  int64_t work_a = 0, work_b = 0, work_c = 0;
  VirtualWorkers world(GetParam());
  Group a = world.group({.name = "a", .shares = 100});
  Group b = world.group({.name = "b", .shares = 200});
  Group c = world.group({.name = "c", .shares = 700});
  flood(a, world, &work_a, us(200), 8);
  flood(b, world, &work_b, us(50), 8);
  flood(c, world, &work_c, us(3), 8);
  world.run_for(500ms);
  const int64_t all = work_a + work_b + work_c;
  EXPECT_NEAR(share(work_a, all), 0.1, 0.01);
  EXPECT_NEAR(share(work_b, all), 0.2, 0.02);
  EXPECT_NEAR(share(work_c, all), 0.7, 0.03);
}

TEST_P(Shares, TasksOutsideOfGroupsHaveOneHundred) {
  int64_t work_a = 0, work_others = 0;
  VirtualWorkers world(GetParam());
  Group a = world.group({.name = "a", .shares = 300});
  flood(a, world, &work_a, us(10), 16);
  for (int i = 0; i < 16; ++i) world.spawn(burn, &world, &work_others, us(10)).detach();
  world.run_for(300ms);
  EXPECT_NEAR(share(work_a, work_a + work_others), 0.75, 0.05);
}

TEST_P(Shares, ChangeWhileTasksRun) {
  int64_t work_a = 0, work_b = 0;
  VirtualWorkers world(GetParam());
  Group a = world.group({.name = "a"});
  Group b = world.group({.name = "b"});
  flood(a, world, &work_a, us(10), 16);
  flood(b, world, &work_b, us(10), 16);
  world.run_for(100ms);
  EXPECT_NEAR(share(work_a, work_a + work_b), 0.5, 0.02);
  ASSERT_TRUE(a.set({.name = "a", .shares = 900}).has_value());
  work_a = work_b = 0;
  world.run_for(200ms);
  EXPECT_NEAR(share(work_a, work_a + work_b), 0.9, 0.02);
}

Task<void> burn_later(VirtualWorkers* world, int64_t* work, sync::Event* event) {
  co_await event->wait();
  co_await burn(world, work, us(10));
}

TEST(Shares, WhoWasIdleDoesNotSaveUpHisTime) {
  int64_t work_a = 0, work_b = 0;
  sync::Event event;
  VirtualWorkers world(1);
  Group a = world.group({.name = "a"});
  Group b = world.group({.name = "b"});
  flood(a, world, &work_a, us(10));
  b.spawn(burn_later, &world, &work_b, &event)->detach();
  world.run_for(1s);
  EXPECT_EQ(work_b, 0);
  event.set();
  work_a = 0;
  world.run_for(20ms);
  EXPECT_NEAR(share(work_b, work_a + work_b), 0.5, 0.05);
}

TEST(Latency, BackgroundRunsWhenNothingElseDoes) {
  int64_t work = 0;
  VirtualWorkers world(2);
  Group background = world.group({.name = "bg", .latency = Latency::Background});
  flood(background, world, &work, us(10), 8);
  world.run_for(50ms);
  EXPECT_GT(share(work, 100'000), 0.9);
}

TEST(Latency, BackgroundHasAFloorOfOnePercent) {
  int64_t work = 0, work_normal = 0, work_others = 0;
  VirtualWorkers world(1);
  Group background = world.group({.name = "bg", .shares = 10'000, .latency = Latency::Background});
  Group normal = world.group({.name = "normal"});
  flood(background, world, &work, us(10));
  flood(normal, world, &work_normal, us(10));
  for (int i = 0; i < 4; ++i) world.spawn(burn, &world, &work_others, us(10)).detach();
  world.run_for(1s);
  EXPECT_GT(share(work, 1'000'000), 0.009);
  EXPECT_LT(share(work, 1'000'000), 0.02);
  EXPECT_NEAR(share(work_normal, work_normal + work_others), 0.5, 0.05);
}

TEST(Latency, InteractiveHasPrecedenceForHalfOfAWorker) {
  int64_t work = 0, work_normal = 0, work_others = 0;
  VirtualWorkers world(1);
  Group interactive = world.group({.name = "ui", .shares = 1, .latency = Latency::Interactive});
  Group normal = world.group({.name = "normal"});
  flood(interactive, world, &work, us(10));
  flood(normal, world, &work_normal, us(10));
  for (int i = 0; i < 4; ++i) world.spawn(burn, &world, &work_others, us(10)).detach();
  world.run_for(1s);
  EXPECT_NEAR(share(work, 1'000'000), 0.5, 0.05);
  EXPECT_GT(share(work_normal, 1'000'000), 0.2);
  EXPECT_GT(share(work_others, 1'000'000), 0.2);
}

// Wakes every millisecond, computes a little, and notes how late it was.
Task<void> ping(VirtualWorkers* world, std::vector<int64_t>* late) {
  while (!world->stop) {
    const Instant due = Instant::now() + us(1000);
    co_await sleep(us(1000));
    late->push_back((Instant::now() - due).count());
    world->spend(us(5));
  }
}

TEST(Latency, InteractiveWaitsForOnePollOfTheFlood) {
  constexpr Duration kPoll = us(100);
  const auto p99 = [&](Latency latency) {
    int64_t work = 0, others = 0;
    std::vector<int64_t> late;
    VirtualWorkers world(2);
    Group batch = world.group({.name = "batch", .shares = 1000});
    Group ui = world.group({.name = "ui", .latency = latency});
    flood(batch, world, &work, kPoll, 64);
    for (int i = 0; i < 8; ++i) world.spawn(burn, &world, &others, kPoll).detach();
    ui.spawn(ping, &world, &late)->detach();
    world.run_for(500ms);
    std::sort(late.begin(), late.end());
    EXPECT_GT(late.size(), 300u);
    EXPECT_NEAR(share(work + others, 1'000'000), 1.0, 0.05);
    return late[late.size() * 99 / 100];
  };
  // One poll until the worker looks at its timers, another one because it looks after it has
  // chosen a task of its own; and a timer's grain.
  EXPECT_LE(p99(Latency::Interactive), 3 * kPoll.count());
}

// One poll: who, on which worker, when.
struct Turn {
  int task;
  uint32_t worker;
  int64_t at_ns;
  bool operator==(const Turn&) const = default;
};

Task<void> sign(VirtualWorkers* world, std::vector<Turn>* turns, int task) {
  while (!world->stop) {
    turns->push_back({task, task::context().worker, Instant::now().ns});
    world->spend(us(3 + task % 7));
    if (task % 3 == 0)
      co_await sleep(us(200));
    else
      co_await yield_now();
  }
}

std::vector<Turn> history() {
  std::vector<Turn> turns;
  VirtualWorkers world(3);
  Group a = world.group({.name = "a", .shares = 300});
  Group b = world.group({.name = "b", .latency = Latency::Interactive});
  Group c = world.group({.name = "c", .latency = Latency::Background});
  for (int i = 0; i < 24; ++i) {
    Group* const group = std::array{&a, &b, &c, static_cast<Group*>(nullptr)}[i % 4];
    if (group != nullptr)
      group->spawn(sign, &world, &turns, i)->detach();
    else
      world.spawn(sign, &world, &turns, i).detach();
  }
  world.run_for(20ms);
  return turns;
}

TEST(World, TheSameRunTwiceIsTheSame) {
  const std::vector<Turn> first = history();
  // Other addresses than those of the first.
  const std::vector<std::vector<Turn>> between(3, std::vector<Turn>(first.size()));
  EXPECT_GT(first.size(), 5'000u);
  EXPECT_EQ(first, history());
}

Task<void> sleep_and_count(int* ended, Duration d) {
  co_await sleep(d);
  ++*ended;
}

TEST(World, ItsEndIsTheEndOfItsTasks) {
  int ended = 0;
  {
    VirtualWorkers world(2);
    Group group = world.group({.name = "g"});
    for (int i = 0; i < 10; ++i) {
      world.spawn(sleep_and_count, &ended, us(100 * i)).detach();
      group.spawn(sleep_and_count, &ended, us(100 * i))->detach();
    }
    world.run_for(us(300));
    EXPECT_LT(ended, 20);
  }
  EXPECT_EQ(ended, 20);
}

}  // namespace
}  // namespace zokio::qos
