// SPDX-License-Identifier: Apache-2.0
#include "time/wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "seed.h"

namespace zokio::time {
namespace {

constexpr uint64_t kReach = (uint64_t{1} << (3 * Wheel::kFanBits)) * Wheel::kSlots;

std::unique_ptr<TimerNode> node_at(uint64_t tick) {
  auto node = std::make_unique<TimerNode>();
  node->set_tick(tick);
  return node;
}

// What the owner does: settles and takes until nothing more comes.
std::vector<TimerNode*> advance(Wheel& wheel, uint64_t tick) {
  std::vector<TimerNode*> due;
  while (wheel.next_tick() <= tick) {
    wheel.settle(7);
    TimerNode* batch[5];
    due.insert(due.end(), batch, batch + wheel.take_due(tick, batch, 5));
  }
  return due;
}

TEST(Wheel, FiresAtItsTickAndNotBefore) {
  // On both sides of every boundary of every level.
  std::vector<uint64_t> points{0};
  for (unsigned level = 0; level <= Wheel::kLevels; ++level)
    for (uint64_t turn : {1ull, 2ull, 3ull})
      for (uint64_t off : {-2, -1, 0, 1, 2})
        points.push_back((turn << (level * Wheel::kFanBits)) * (level == 4 ? 2 : 1) + off);
  for (uint64_t start : points) {
    for (uint64_t delay : points) {
      if (start > TimerNode::kMaxTick || delay == 0 || delay > TimerNode::kMaxTick - start)
        continue;
      Wheel wheel;
      wheel.pass_to(start);
      auto node = node_at(start + delay);
      wheel.insert(node.get());
      ASSERT_LE(wheel.next_tick(), node->tick());
      ASSERT_TRUE(advance(wheel, node->tick() - 1).empty()) << start << "+" << delay;
      ASSERT_EQ(wheel.next_tick(), node->tick());
      ASSERT_EQ(advance(wheel, node->tick()), std::vector{node.get()}) << start << "+" << delay;
      ASSERT_EQ(wheel.next_tick(), Wheel::kNever);
    }
  }
}

TEST(Wheel, AnOverdueNodeIsTakenNext) {
  Wheel wheel;
  wheel.pass_to(1000);
  auto node = node_at(3);
  wheel.insert(node.get());
  EXPECT_EQ(wheel.next_tick(), 1000u);
  EXPECT_EQ(advance(wheel, 1000), std::vector{node.get()});
}

TEST(Wheel, ANodeBeyondTheReachIsPlacedAgain) {
  for (uint64_t tick : {kReach - 1, kReach, kReach * 3 + 17, TimerNode::kMaxTick}) {
    Wheel wheel;
    auto node = node_at(tick);
    wheel.insert(node.get());
    EXPECT_TRUE(advance(wheel, tick - 1).empty()) << tick;
    EXPECT_EQ(advance(wheel, tick), std::vector{node.get()}) << tick;
  }
}

// The last node of a slot fills the place of the one that goes, over the borders of chunks too.
TEST(Wheel, RemovesFromAnywhereInASlot) {
  ZOKIO_SEED_TRACE();
  std::mt19937_64 random(test::test_seed());
  for (uint64_t tick : {5ull, 3000ull}) {
    Wheel wheel;
    std::vector<std::unique_ptr<TimerNode>> nodes;
    for (int i = 0; i < 1000; ++i) {
      nodes.push_back(node_at(tick));
      wheel.insert(nodes.back().get());
    }
    std::shuffle(nodes.begin(), nodes.end(), random);
    for (int i = 0; i < 700; ++i) {
      wheel.remove(nodes.back().get());
      nodes.pop_back();
      for (const auto& node : nodes) ASSERT_EQ(*node->entry, node.get());
    }
    std::set<TimerNode*> left;
    for (const auto& node : nodes) left.insert(node.get());
    const auto due = advance(wheel, tick);
    EXPECT_EQ(std::set<TimerNode*>(due.begin(), due.end()), left);
    EXPECT_EQ(due.size(), left.size());
  }
}

TEST(Wheel, LooksAgainAfterTheEarliestWasRemoved) {
  Wheel wheel;
  auto early = node_at(10);
  auto late = node_at(100'000);
  wheel.insert(early.get());
  wheel.insert(late.get());
  wheel.remove(early.get());
  EXPECT_LE(wheel.next_tick(), 100'000u);
  wheel.look_again();
  EXPECT_GT(wheel.next_tick(), 99'000u);
  wheel.remove(late.get());
  wheel.look_again();
  EXPECT_EQ(wheel.next_tick(), Wheel::kNever);
  EXPECT_TRUE(advance(wheel, 1'000'000).empty());
}

// A slot with many nodes is emptied in small steps while the turn before it runs: whoever takes the
// due ones at every tick gets each at its own, however many there are.
TEST(Wheel, AFullSlotIsSettledBeforeItBegins) {
  ZOKIO_SEED_TRACE();
  std::mt19937_64 random(test::test_seed());
  constexpr uint64_t kStart = uint64_t{2} << (2 * Wheel::kFanBits);  // a slot of level 2
  Wheel wheel;
  std::vector<std::unique_ptr<TimerNode>> nodes;
  for (int i = 0; i < 20'000; ++i) {
    nodes.push_back(node_at(kStart + random() % 300));
    wheel.insert(nodes.back().get());
  }
  const uint64_t begin = wheel.next_tick();
  ASSERT_EQ(begin, kStart - Wheel::kLead);
  size_t taken = 0;
  for (uint64_t tick = begin; tick < kStart + 300; ++tick) {
    const unsigned moved = wheel.settle(100);
    EXPECT_LE(moved, 100u);
    TimerNode* batch[1000];
    const unsigned count = wheel.take_due(tick, batch, 1000);
    for (unsigned i = 0; i < count; ++i) ASSERT_EQ(batch[i]->tick(), tick);
    taken += count;
  }
  EXPECT_EQ(taken, nodes.size());
}

// The same operations on the wheel and on a sorted set; every difference is a bug of the wheel.
TEST(Wheel, AgreesWithASortedSet) {
  ZOKIO_SEED_TRACE();
  std::mt19937_64 random(test::test_seed());
  struct Earlier {
    bool operator()(const TimerNode* a, const TimerNode* b) const {
      return a->tick() != b->tick() ? a->tick() < b->tick() : a < b;
    }
  };
  for (int round = 0; round < 40; ++round) {
    Wheel wheel;
    uint64_t now = random() >> (27 + random() % 37);
    wheel.pass_to(now);
    std::vector<std::unique_ptr<TimerNode>> nodes;
    std::set<TimerNode*, Earlier> armed;
    for (int step = 0; step < 3000; ++step) {
      switch (random() % 5) {
        case 0:
        case 1: {
          const uint64_t delay = (random() >> (random() % 62 + 2)) % (uint64_t{1} << 34);
          nodes.push_back(node_at(std::min(now + delay, TimerNode::kMaxTick)));
          wheel.insert(nodes.back().get());
          armed.insert(nodes.back().get());
          break;
        }
        case 2: {
          if (armed.empty()) break;
          auto it = armed.begin();
          std::advance(it, static_cast<long>(random() % std::min<size_t>(armed.size(), 16)));
          wheel.remove(*it);
          armed.erase(it);
          break;
        }
        case 3: {
          // Nothing may happen on the way.
          const uint64_t next = wheel.next_tick();
          if (next == Wheel::kNever || next <= now + 1) break;
          now += random() % (next - now);
          wheel.pass_to(now);
          break;
        }
        case 4: {
          now += (random() >> (random() % 60 + 4)) % (uint64_t{1} << 28);
          now = std::min(now, TimerNode::kMaxTick);
          const auto due = advance(wheel, now);
          for (TimerNode* node : due) {
            ASSERT_LE(node->tick(), now);
            ASSERT_EQ(armed.erase(node), 1u);
          }
          ASSERT_TRUE(armed.empty() || (*armed.begin())->tick() > now)
              << "tick " << (*armed.begin())->tick() << " at " << now;
          break;
        }
      }
      if (!armed.empty()) ASSERT_LE(wheel.next_tick(), std::max((*armed.begin())->tick(), now));
    }
    size_t left = 0;
    for (Chunk* chunk = wheel.take_all(); chunk != nullptr;) {
      for (uint32_t i = 0; i < chunk->count; ++i) left += armed.count(chunk->entries()[i]);
      Chunk::destroy(std::exchange(chunk, chunk->next));
    }
    ASSERT_EQ(left, armed.size());
    ASSERT_EQ(wheel.next_tick(), Wheel::kNever);
  }
}

}  // namespace
}  // namespace zokio::time
