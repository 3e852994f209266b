// SPDX-License-Identifier: Apache-2.0
#include "time/wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "seed.h"

namespace zokio::time {
namespace {

void nothing(TimerEntry*) noexcept {}

struct Entry : TimerEntry {
  Entry() : TimerEntry(&nothing) {}
};

TEST(Wheel, FiresAtItsTickAndNotBefore) {
  for (uint64_t start :
       {0ull, 63ull, 64ull, 4095ull, 262143ull, (1ull << 36) - 1, (1ull << 40) + 7}) {
    for (uint64_t delay : {1ull, 2ull, 63ull, 64ull, 65ull, 4096ull, 100000ull, 1ull << 30}) {
      Wheel wheel;
      wheel.start_at(start);
      Entry entry;
      entry.tick = start + delay;
      wheel.insert(&entry);
      EXPECT_LE(wheel.next_tick(), entry.tick);
      EXPECT_EQ(wheel.advance(entry.tick - 1), nullptr) << start << "+" << delay;
      EXPECT_EQ(wheel.size(), 1u);
      EXPECT_EQ(wheel.advance(entry.tick), &entry) << start << "+" << delay;
      EXPECT_EQ(wheel.size(), 0u);
      EXPECT_EQ(wheel.next_tick(), Wheel::kNever);
    }
  }
}

TEST(Wheel, OverdueEntryFiresWithTheNextAdvance) {
  Wheel wheel;
  wheel.start_at(1000);
  Entry entry;
  entry.tick = 3;
  wheel.insert(&entry);
  EXPECT_EQ(wheel.advance(1001), &entry);
}

TEST(Wheel, EntryBeyondTheReachIsPlacedAgain) {
  Wheel wheel;
  Entry entry;
  entry.tick = (uint64_t{1} << 36) * 3 + 17;
  wheel.insert(&entry);
  EXPECT_EQ(wheel.advance(entry.tick - 1), nullptr);
  EXPECT_EQ(wheel.advance(entry.tick), &entry);
}

// The same operations on the wheel and on a sorted map; every difference is a bug of the wheel.
TEST(Wheel, AgreesWithASortedMap) {
  ZOKIO_SEED_TRACE();
  std::mt19937_64 random(test::test_seed());
  for (int round = 0; round < 50; ++round) {
    Wheel wheel;
    uint64_t now = random() >> (24 + random() % 40);
    wheel.start_at(now);
    std::vector<std::unique_ptr<Entry>> entries;
    std::set<Entry*> armed;
    for (int step = 0; step < 2000; ++step) {
      switch (random() % 4) {
        case 0:
        case 1: {
          entries.push_back(std::make_unique<Entry>());
          Entry* entry = entries.back().get();
          entry->tick = now + (random() >> (random() % 62 + 2)) % (uint64_t{1} << 38);
          wheel.insert(entry);
          armed.insert(entry);
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
          uint64_t target = now + (random() >> (random() % 60 + 4)) % (uint64_t{1} << 30) + 1;
          std::set<TimerEntry*> fired;
          for (TimerEntry* entry = wheel.advance(target); entry != nullptr; entry = entry->next)
            ASSERT_TRUE(fired.insert(entry).second);
          for (auto it = armed.begin(); it != armed.end();) {
            const bool due = (*it)->tick <= target;
            ASSERT_EQ(fired.contains(*it), due) << "tick " << (*it)->tick << " at " << target;
            it = due ? armed.erase(it) : std::next(it);
          }
          now = target;
          break;
        }
      }
      ASSERT_EQ(wheel.size(), armed.size());
      if (!armed.empty()) {
        uint64_t earliest = UINT64_MAX;
        for (Entry* entry : armed) earliest = std::min(earliest, entry->tick);
        ASSERT_LE(wheel.next_tick(), std::max(earliest, now + 1));
      }
    }
    size_t left = 0;
    for (TimerEntry* entry = wheel.take_all(); entry != nullptr; entry = entry->next) ++left;
    ASSERT_EQ(left, armed.size());
  }
}

}  // namespace
}  // namespace zokio::time
