// SPDX-License-Identifier: Apache-2.0
// The heap behind other faces: the standard library's containers, and C.

#include "zokio/mem/resource.h"

#include <map>
#include <memory_resource>
#include <string>

#include "pools_fixture.h"
#include "zokio_alloc.h"

namespace zokio::mem {
namespace {

using ResourceTest = PoolsTest;

TEST_F(ResourceTest, ContainersLiveInTheHeap) {
  {
    std::pmr::map<int, std::pmr::string> names(&heap_resource());
    for (int i = 0; i < 1000; ++i) names.emplace(i, std::string(i % 100, 'x'));
    EXPECT_GE(heap().objects_in_use, 1000u);
    EXPECT_EQ(names.at(77), std::string_view(std::string(77, 'x')));
  }
  EXPECT_EQ(heap().objects_in_use, 0u);
}

TEST_F(ResourceTest, AlignmentsAndRefusals) {
  std::pmr::memory_resource& resource = heap_resource();
  void* p = resource.allocate(100, 512);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % 512, 0u);
  resource.deallocate(p, 100, 512);
  ASSERT_TRUE(set_limit("heap", 1 * kMiB).has_value());
  EXPECT_THROW(static_cast<void>(resource.allocate(2 * kMiB)), std::bad_alloc);
  EXPECT_TRUE(resource.is_equal(heap_resource()));
  EXPECT_FALSE(resource.is_equal(*std::pmr::new_delete_resource()));
}

TEST_F(ResourceTest, TheFunctionsForC) {
  auto* text = static_cast<char*>(zokio_alloc_zeroed(5, 20));
  ASSERT_NE(text, nullptr);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(text[i], 0);
  std::strcpy(text, "zokio");
  text = static_cast<char*>(zokio_realloc(text, 100'000));
  EXPECT_STREQ(text, "zokio");
  EXPECT_GE(zokio_usable_size(text), 100'000u);
  zokio_free(text);
  void* sized = zokio_alloc(77);
  zokio_free_sized(sized, 77);
  void* aligned = zokio_alloc_aligned(4096, 1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % 4096, 0u);
  zokio_free(aligned);
  zokio_free(nullptr);
  EXPECT_EQ(zokio_alloc_zeroed(SIZE_MAX / 2, 3), nullptr);
  EXPECT_EQ(heap().objects_in_use, 0u);
  EXPECT_GT(zokio_trim(), 0u);
}

}  // namespace
}  // namespace zokio::mem
