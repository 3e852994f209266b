// SPDX-License-Identifier: Apache-2.0
#include "mem/page_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

// Slots handed out and not yet given back never overlap, and never include a chunk's header.
TEST(PageHeapTest, SpansNeverOverlap) {
  PageHeap heap;
  std::mt19937 rng(3);
  std::vector<Span*> live;
  std::set<std::byte*> slots;
  for (int i = 0; i < 20'000; ++i) {
    if (live.size() < 200 && rng() % 2 == 0) {
      const unsigned count = 1 + rng() % 16;
      Span* span = heap.allocate(count);
      ASSERT_NE(span, nullptr);
      ASSERT_EQ(span->slots, count);
      ASSERT_NE(span->start, reinterpret_cast<std::byte*>(chunk_of(span->start)));
      ASSERT_EQ(&span_of(span->start), span);
      for (unsigned s = 0; s < count; ++s) {
        std::byte* slot = span->start + s * kSlotBytes;
        ASSERT_EQ(chunk_of(slot), chunk_of(span->start));
        ASSERT_TRUE(slots.insert(slot).second) << "slot handed out twice";
      }
      live.push_back(span);
    } else if (!live.empty()) {
      std::swap(live[rng() % live.size()], live.back());
      Span* span = live.back();
      live.pop_back();
      for (unsigned s = 0; s < span->slots; ++s) slots.erase(span->start + s * kSlotBytes);
      heap.free(*span);
    }
  }
  for (Span* span : live) heap.free(*span);
}

TEST(PageHeapTest, FreeingASpanTwiceIsABug) {
  if (kSanitized) GTEST_FLAG_SET(death_test_style, "threadsafe");
  PageHeap heap;
  Span* first = heap.allocate(2);
  Span* second = heap.allocate(2);
  heap.free(*first);
  EXPECT_DEATH(heap.free(*first), "span freed twice");
  heap.free(*second);
}

}  // namespace
}  // namespace zokio::mem
