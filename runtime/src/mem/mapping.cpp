// SPDX-License-Identifier: Apache-2.0
// mmap, munmap, madvise and mincore. Released bytes are measured before they go, because a mapped
// page that nobody touched costs nothing and must not be reported as returned.

#include "mem/mapping.h"

#include <sys/mman.h>

#include <algorithm>

#include "mem/poison.h"
#include "zokio/base/assert.h"

namespace zokio::mem {
namespace {

std::byte* map_anywhere(std::size_t bytes) noexcept {
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<std::byte*>(p);
}

void unmap_raw(std::byte* start, std::size_t bytes) noexcept {
  if (bytes == 0) return;
  ZOKIO_CHECK(::munmap(start, bytes) == 0, "munmap of an own mapping failed");
}

}  // namespace

std::byte* map(std::size_t bytes, std::size_t alignment, std::size_t lead) noexcept {
  const std::size_t extra = alignment > kPageBytes ? alignment : 0;
  std::byte* raw = map_anywhere(bytes + extra);
  if (raw == nullptr) return nullptr;
  std::byte* start = raw;
  if (extra != 0) {
    const auto address = reinterpret_cast<std::uintptr_t>(raw) + lead;
    const std::size_t skip = (alignment - address % alignment) % alignment;
    start = raw + skip;
    unmap_raw(raw, skip);
    unmap_raw(start + bytes, extra - skip);
  }
  // A huge page would become resident as a whole for one small block, and the kernel could fill
  // again what was given back; the counts here would then be wrong by a factor. Best effort.
  ::madvise(start, bytes, MADV_NOHUGEPAGE);
  add_root(start, bytes);
  return start;
}

uint64_t unmap(std::byte* start, std::size_t bytes) noexcept {
  const uint64_t resident = resident_bytes(start, bytes);
  unpoison(start, bytes);
  remove_root(start, bytes);
  unmap_raw(start, bytes);
  return resident;
}

uint64_t discard(std::byte* start, std::size_t bytes) noexcept {
  const uint64_t resident = resident_bytes(start, bytes);
  return ::madvise(start, bytes, MADV_DONTNEED) == 0 ? resident : 0;
}

bool want_huge_pages(std::byte* start, std::size_t bytes) noexcept {
  return ::madvise(start, bytes, MADV_HUGEPAGE) == 0;
}

uint64_t resident_bytes(std::byte* start, std::size_t bytes) noexcept {
  unsigned char pages[256];
  uint64_t resident = 0;
  for (std::size_t done = 0; done < bytes; done += sizeof pages * kPageBytes) {
    const std::size_t part = std::min(bytes - done, sizeof pages * kPageBytes);
    if (::mincore(start + done, part, pages) != 0) continue;
    for (std::size_t i = 0; i < part / kPageBytes; ++i) resident += (pages[i] & 1) * kPageBytes;
  }
  return resident;
}

}  // namespace zokio::mem
