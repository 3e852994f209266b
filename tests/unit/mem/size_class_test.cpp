// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/size_class.h"

#include <gtest/gtest.h>

#include "mem/span.h"

namespace zokio::mem {
namespace {

TEST(SizeClassTest, ClassesGrowByStepsOfEight) {
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    EXPECT_EQ(class_bytes(cls) % kFineStep, 0u) << cls;
    if (cls > 0) EXPECT_GT(class_bytes(cls), class_bytes(cls - 1)) << cls;
  }
}

// `fits(cls)`: of the classes that may be chosen, the smallest with enough bytes.
template <class ClassOf, class Usable>
void expect_smallest(ClassOf class_of, Usable usable) {
  unsigned smallest = 0;
  for (std::size_t bytes = 1; bytes <= kMaxBlock; ++bytes) {
    while (class_bytes(smallest) < bytes || !usable(smallest)) ++smallest;
    ASSERT_EQ(class_of(bytes), smallest) << bytes;
  }
  EXPECT_EQ(class_of(0), class_of(1));
}

TEST(SizeClassTest, EverySizeMapsToTheSmallestAlignedClassThatFits) {
  expect_smallest([](std::size_t bytes) { return class_of(bytes); },
                  [](unsigned cls) { return class_bytes(cls) % kAlignment == 0; });
}

TEST(SizeClassTest, EverySizeMapsToTheSmallestFineClassThatFits) {
  expect_smallest([](std::size_t bytes) { return class_of_fine(bytes); },
                  [](unsigned) { return true; });
}

TEST(SizeClassTest, LostToRoundingIsBounded) {
  for (std::size_t bytes = 1; bytes <= kFineLimit; ++bytes) {
    ASSERT_LT(class_bytes(class_of(bytes)) - bytes, kAlignment) << bytes;
    ASSERT_LT(class_bytes(class_of_fine(bytes)) - bytes, kFineStep) << bytes;
  }
  for (std::size_t bytes = kFineLimit + 1; bytes <= kMaxBlock; ++bytes) {
    ASSERT_LT((class_bytes(class_of(bytes)) - bytes) * 4, bytes) << bytes;
  }
}

TEST(SizeClassTest, SpansHoldTheirBlocksAndMagazinesAreBounded) {
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    EXPECT_LT(span_slots(cls), kChunkSlots) << cls;
    for (const std::size_t shared : {std::size_t{1}, std::size_t{8} << 10, kSlotBytes}) {
      const unsigned blocks = span_blocks(cls, shared);
      EXPECT_LE(blocks * class_bytes(cls), span_slots(cls) * kSlotBytes) << cls;
      EXPECT_GE(blocks, 1u) << cls;
      // A block of a span with several slots has to start in the first one.
      if (span_slots(cls) > 1) EXPECT_EQ(blocks, 1u) << cls;
    }
    EXPECT_LE(magazine_capacity(cls, 64, 2 * kSlotBytes) * class_bytes(cls), 2 * kSlotBytes) << cls;
  }
}

}  // namespace
}  // namespace zokio::mem
