// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operations a reactor holds: slots with generations, so that what comes back from the kernel
// names a slot and not an address. A name of an operation that has ended finds nothing.
// Thread: the reactor's owner.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "zokio/base/pinned.h"

namespace zokio::io {

class Op;

class OpTable : Pinned {
 public:
  // The name of an operation: generation (31 bits) above the slot index. Bit 63 is free for the
  // engine.
  using Key = uint64_t;

  // Takes `op` in. Allocates when the table grows.
  void insert(Op& op);
  void remove(Op& op) noexcept;
  Key key(const Op& op) const noexcept;
  // Null when that operation is not here any more.
  Op* find(Key key) const noexcept;

  std::size_t size() const noexcept { return size_; }
  // For walks over everything: null for a free slot. Removal during the walk is fine.
  std::size_t slots() const noexcept { return slots_.size(); }
  Op* at(std::size_t index) const noexcept { return slots_[index].op; }

 private:
  struct Slot {
    Op* op = nullptr;
    uint32_t generation = 1;
    uint32_t next_free = 0;
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kGenerationMask = 0x7fffffff;

  std::vector<Slot> slots_;
  uint32_t free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace zokio::io
