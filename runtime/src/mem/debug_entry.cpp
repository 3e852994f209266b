// SPDX-License-Identifier: Apache-2.0
// The functions of zokio/mem/debug.h that programs call. Each begins its call site at its caller.

#include <algorithm>
#include <bit>
#include <cstring>

#include "mem/debug_heap.h"
#include "zokio/base/assert.h"
#include "zokio/mem/debug.h"

namespace zokio::mem::debug {
namespace {

void* take_heap(std::size_t bytes, std::size_t alignment, bool zero, const Stack& by) noexcept {
  Refusal why = Refusal::None;
  return take(PoolId::Heap, bytes, alignment, /*may_exceed=*/false, zero, why, by);
}

}  // namespace

[[gnu::noinline]] void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  ZOKIO_CHECK(std::has_single_bit(alignment), "an alignment is a power of two");
  return take_heap(bytes, alignment, false, ZOKIO_CALLERS);
}

[[gnu::noinline]] void* allocate_zeroed(std::size_t bytes) noexcept {
  return take_heap(bytes, kAlignment, true, ZOKIO_CALLERS);
}

[[gnu::noinline]] void deallocate(void* p) noexcept {
  give(PoolId::Heap, p, kAnySize, ZOKIO_CALLERS);
}

[[gnu::noinline]] void deallocate(void* p, std::size_t bytes) noexcept {
  give(PoolId::Heap, p, bytes, ZOKIO_CALLERS);
}

[[gnu::noinline]] void* reallocate(void* p, std::size_t bytes) noexcept {
  const Stack by = ZOKIO_CALLERS;
  if (p == nullptr) return take_heap(bytes, kAlignment, false, by);
  const Record before = record_of(p, "reallocation of", by);
  void* const to = take_heap(bytes, kAlignment, false, by);
  if (to == nullptr) return nullptr;
  std::memcpy(to, p, std::min(before.bytes, bytes));
  give(PoolId::Heap, p, kAnySize, by);
  return to;
}

[[gnu::noinline]] std::size_t usable_size(const void* p) noexcept {
  return p != nullptr ? record_of(p, "size of", ZOKIO_CALLERS).bytes : 0;
}

}  // namespace zokio::mem::debug
