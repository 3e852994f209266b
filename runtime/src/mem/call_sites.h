// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who called: short stacks, each kept once and then known by a number.
// Thread: capture() any; CallSites under the lock of who has it.

#include <array>
#include <cstddef>
#include <cstdint>

#include "zokio/base/pinned.h"
#include "zokio/mem/debug.h"

// The callers of the function that this is written in.
#define ZOKIO_CALLERS \
  ::zokio::mem::debug::capture(static_cast<void* const*>(__builtin_frame_address(0)))

namespace zokio::mem::debug {

struct Stack {
  unsigned depth = 0;
  std::array<void*, kSiteFrames> frames{};
};

// The callers of the function whose frame address is given, by the chain of frame pointers. It is
// followed only within the stack that the system gave the thread, so a caller without frame
// pointers, or another stack (of a fiber), ends it early. The first caller is always there.
Stack capture(void* const* frame) noexcept;

// A number for a stack; 0: unknown, because there is no room.
class CallSites : Pinned {
 public:
  uint32_t number_of(const Stack& stack) noexcept;
  Stack stack(uint32_t number) const noexcept;
  // One more than the largest number.
  uint32_t count() const noexcept { return count_; }

 private:
  struct Site {
    uint32_t hash = 0;
    uint32_t next = 0;  // with the same place in first_
    Stack stack;
  };
  static constexpr uint32_t kMost = 1 << 17;
  static constexpr uint32_t kBuckets = 1 << 14;

  Site* sites_ = nullptr;  // mapped when the first is added; pages are used as they come
  uint32_t count_ = 1;
  std::array<uint32_t, kBuckets> first_{};
};

}  // namespace zokio::mem::debug
