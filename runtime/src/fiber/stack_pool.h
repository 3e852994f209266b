// SPDX-License-Identifier: Apache-2.0
#pragma once

// Guarded stacks, cached by size.
//
// Sizes are powers of two, 16 KiB to 64 MiB. A stack that comes back stays warm (its pages with it)
// while the warm ones hold at most kWarmBytes together; beyond that its pages go to the system and
// only the addresses stay, up to kColdBytes; beyond that it is unmapped. So a program that uses a
// few fibers at a time makes no system call, and a burst leaves little behind.
//
// The lock is held for a few instructions; mapping and unmapping happen outside it.
// Thread: any.

#include <array>
#include <cstddef>
#include <cstdint>

#include "mem/budget.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"
#include "zokio/base/spin_lock.h"
#include "zokio/fiber/machine.h"
#include "zokio/fiber/stacks.h"

namespace zokio::fibers {

// Below each stack, not accessible. Addresses only; wide, so that a frame with a large array does
// not step over it.
inline constexpr std::size_t kGuardBytes = std::size_t{64} << 10;

inline constexpr std::size_t kWarmBytes = std::size_t{4} << 20;
inline constexpr std::size_t kColdBytes = std::size_t{256} << 20;

// Each stack is two mappings, and the kernel allows a process 65,530 (vm.max_map_count). When they
// are used up every other part of the process fails too, so fibers stop well before.
inline constexpr uint64_t kMaxStacks = uint64_t{24} << 10;

struct Stack {
  Stack* next = nullptr;         // in a list of the pool
  std::byte* mapping = nullptr;  // the guard
  std::size_t bytes = 0;         // without the guard

  std::byte* bottom() const noexcept { return mapping + kGuardBytes; }
  std::byte* top() const noexcept { return bottom() + bytes; }
};

class StackPool : Pinned {
 public:
  explicit StackPool(uint64_t most_stacks = kMaxStacks) noexcept { count_.set_limit(most_stacks); }
  // Requires: nothing in use.
  ~StackPool();

  // At least `bytes`. Errors: InvalidArgument, ResourceExhausted.
  Result<Stack*> acquire(std::size_t bytes) noexcept;
  void release(Stack* stack) noexcept;

  Result<void> set_limit(uint64_t bytes, bool force) noexcept;
  uint64_t trim() noexcept;
  StackSnapshot snapshot() noexcept;

 private:
  static constexpr unsigned kClasses = 13;
  static_assert(kMinStackBytes << (kClasses - 1) == kMaxStackBytes);

  struct Lists {
    Stack* warm = nullptr;
    Stack* cold = nullptr;
  };

  static unsigned class_of(std::size_t bytes) noexcept;

  Stack* take_cached(unsigned size_class) noexcept;
  void lend(const Stack& stack) noexcept;
  bool reserve(std::size_t bytes) noexcept;
  Result<Stack*> create(std::size_t bytes) noexcept;
  Stack* map_stack(std::size_t bytes) noexcept;
  uint64_t unmap_stack(Stack* stack) noexcept;

  struct Shrunk {
    uint64_t unmapped = 0;  // bytes of stacks
    uint64_t released = 0;  // of them, resident before
  };
  Shrunk shrink_cache(uint64_t wanted) noexcept;

  mem::Budget held_;   // bytes in use and cached
  mem::Budget count_;  // stacks in use and cached

  SpinLock lock_;
  // Guarded by lock_.
  std::array<Lists, kClasses> lists_{};
  uint64_t warm_bytes_ = 0;
  uint64_t cold_bytes_ = 0;
  StackSnapshot counts_;  // all but what held_ knows
};

// That of the process; never destroyed.
StackPool& stack_pool() noexcept;

}  // namespace zokio::fibers
