// SPDX-License-Identifier: Apache-2.0
#pragma once

// Objects above kMaxBlock, one mapping each, and a few freed ones that are kept for the next: the
// kernel needs microseconds to map, and to clear pages at their first use, which a program that
// takes and frees one large buffer after the other would pay each time.
//
// An object begins at a multiple of a chunk's size; that tells it from a block. Its head is in the
// page before.
// Thread: any; one lock for what is kept.

#include <array>
#include <cstddef>
#include <mutex>

#include "mem/idle_bytes.h"
#include "zokio/base/pinned.h"

namespace zokio::mem {

struct LargeHead {
  std::size_t bytes = 0;  // that may be used, whole pages
  bool huge = false;      // the kernel was asked for huge pages
};

// Requires: `object` is a large object in use.
LargeHead& large_head(void* object) noexcept;

// Null when the system refuses. With `huge` the kernel is asked for huge pages, if the object is as
// large as one. Requires: whole pages.
void* map_large(std::size_t bytes, bool huge) noexcept;
// Resident bytes released, without the head's page.
uint64_t unmap_large(void* object) noexcept;

class LargeCache : Pinned {
 public:
  // A kept object with at least `bytes` and not an eighth more, or null. Its content is whatever it
  // was.
  void* take(std::size_t bytes) noexcept;
  // False when it is not worth keeping, or more than `most` bytes would be kept.
  bool put(void* object, uint64_t most) noexcept;
  // Takes one out, whatever its size; null when there is none.
  void* take_any() noexcept;
  // One that should go because nobody has needed it lately, or null. `step`: a step has ended
  // (idle_bytes.h). `settled`: nothing is left that could go later.
  void* take_idle(bool step, bool& settled) noexcept;

  std::size_t bytes() noexcept {
    const std::scoped_lock lock(mutex_);
    return bytes_;
  }

  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }

  static constexpr std::size_t kMostBytes = std::size_t{32} << 20;

 private:
  void* take_out(void*& place) noexcept;

  std::mutex mutex_;
  std::array<void*, 8> objects_{};
  std::size_t bytes_ = 0;
  uint64_t owed_ = 0;  // should still go in this step of decay
  IdleBytes idle_;
};

}  // namespace zokio::mem
