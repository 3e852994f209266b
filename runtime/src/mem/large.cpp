// SPDX-License-Identifier: Apache-2.0
#include "mem/large.h"

#include <new>
#include <utility>

#include "mem/mapping.h"
#include "mem/poison.h"
#include "zokio/mem/chunk.h"

namespace zokio::mem {

LargeHead& large_head(void* object) noexcept {
  return *reinterpret_cast<LargeHead*>(static_cast<std::byte*>(object) - kPageBytes);
}

void* map_large(std::size_t bytes) noexcept {
  std::byte* start = map(kPageBytes + bytes, kChunkBytes, kPageBytes);
  if (start == nullptr) return nullptr;
  new (start) LargeHead{bytes};
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
  bytes_ -= large_head(*best).bytes;
  return std::exchange(*best, nullptr);
}

bool LargeCache::put(void* object) noexcept {
  const std::scoped_lock lock(mutex_);
  const std::size_t bytes = large_head(object).bytes;
  if (bytes > kMostBytes / 2 || bytes_ + bytes > kMostBytes) return false;
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
    if (object == nullptr) continue;
    bytes_ -= large_head(object).bytes;
    return std::exchange(object, nullptr);
  }
  return nullptr;
}

}  // namespace zokio::mem
