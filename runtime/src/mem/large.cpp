// SPDX-License-Identifier: Apache-2.0
#include "mem/large.h"

#include <algorithm>
#include <new>
#include <utility>

#include "mem/mapping.h"
#include "mem/poison.h"
#include "zokio/mem/chunk.h"

namespace zokio::mem {

LargeHead& large_head(void* object) noexcept {
  return *reinterpret_cast<LargeHead*>(static_cast<std::byte*>(object) - kPageBytes);
}

void* map_large(std::size_t bytes, bool huge) noexcept {
  std::byte* start = map(kPageBytes + bytes, kChunkBytes, kPageBytes);
  if (start == nullptr) return nullptr;
  // Behind the head, which is a page that is used anyway; the object begins at a huge page's
  // border.
  huge = huge && bytes >= kHugePageBytes && want_huge_pages(start + kPageBytes, bytes);
  new (start) LargeHead{bytes, huge};
  return start + kPageBytes;
}

uint64_t unmap_large(void* object) noexcept {
  const std::size_t bytes = large_head(object).bytes;
  auto* const start = static_cast<std::byte*>(object) - kPageBytes;
  const uint64_t resident = unmap(start, kPageBytes + bytes);
  return resident > kPageBytes ? resident - kPageBytes : 0;
}

void* LargeCache::take(std::size_t bytes) noexcept {
  const std::scoped_lock lock(mutex_);
  void** best = nullptr;
  for (void*& object : objects_) {
    if (object == nullptr) continue;
    const std::size_t has = large_head(object).bytes;
    if (has < bytes || has - bytes > bytes / 8) continue;
    if (best == nullptr || has < large_head(*best).bytes) best = &object;
  }
  if (best == nullptr) return nullptr;
  return take_out(*best);
}

void* LargeCache::take_out(void*& place) noexcept {
  bytes_ -= large_head(place).bytes;
  idle_.changed(bytes_);
  return std::exchange(place, nullptr);
}

void* LargeCache::take_idle(bool step, bool& settled) noexcept {
  const std::scoped_lock lock(mutex_);
  if (step) owed_ = idle_.step(bytes_);
  settled = bytes_ == 0;
  if (owed_ == 0) return nullptr;
  for (void*& object : objects_) {
    if (object == nullptr) continue;
    const std::size_t has = large_head(object).bytes;
    if (has > owed_ && !idle_.old()) continue;
    owed_ -= std::min<uint64_t>(owed_, has);
    idle_.went(has, bytes_ - has);
    return take_out(object);
  }
  owed_ = 0;  // none is as small as that: later
  return nullptr;
}

bool LargeCache::put(void* object, uint64_t most) noexcept {
  const std::scoped_lock lock(mutex_);
  const std::size_t bytes = large_head(object).bytes;
  if (bytes > kMostBytes / 2 || bytes_ + bytes > most) return false;
  for (void*& place : objects_) {
    if (place != nullptr) continue;
    poison(object, bytes);
    place = object;
    bytes_ += bytes;
    return true;
  }
  return false;
}

void* LargeCache::take_any() noexcept {
  const std::scoped_lock lock(mutex_);
  for (void*& object : objects_) {
    if (object != nullptr) return take_out(object);
  }
  return nullptr;
}

}  // namespace zokio::mem
