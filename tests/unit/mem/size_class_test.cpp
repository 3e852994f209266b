// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/size_class.h"

#include <gtest/gtest.h>

#include "mem/span.h"

namespace zokio::mem {
namespace {

TEST(SizeClassTest, ClassesGrowAndAreMultiplesOfTheAlignment) {
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    EXPECT_EQ(class_bytes(cls) % kAlignment, 0u) << cls;
    if (cls > 0) EXPECT_GT(class_bytes(cls), class_bytes(cls - 1)) << cls;
  }
}

TEST(SizeClassTest, EverySizeMapsToTheSmallestClassThatFits) {
  unsigned smallest = 0;
  for (std::size_t bytes = 1; bytes <= kMaxBlock; ++bytes) {
    while (class_bytes(smallest) < bytes) ++smallest;
    ASSERT_EQ(class_of(bytes), smallest) << bytes;
  }
  EXPECT_EQ(class_of(0), 0u);
}

TEST(SizeClassTest, AboveTheFineClassesLessThanAQuarterIsLost) {
  for (std::size_t bytes = kFineLimit / 2 + 1; bytes <= kMaxBlock; ++bytes) {
    ASSERT_LT((class_bytes(class_of(bytes)) - bytes) * 4, bytes) << bytes;
  }
}

TEST(SizeClassTest, SpansHoldTheirBlocksAndMagazinesAreBounded) {
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    EXPECT_LE(span_blocks(cls) * class_bytes(cls), span_slots(cls) * kSlotBytes) << cls;
    EXPECT_GE(span_blocks(cls), 1u) << cls;
    EXPECT_LT(span_slots(cls), kChunkSlots) << cls;
    // A block of a span with several slots has to start in the first one.
    if (span_slots(cls) > 1) EXPECT_EQ(span_blocks(cls), 1u) << cls;
    EXPECT_LE(magazine_capacity(cls) * class_bytes(cls), 2 * kSlotBytes) << cls;
  }
}

}  // namespace
}  // namespace zokio::mem
