// SPDX-License-Identifier: Apache-2.0
#include "io/op_table.h"

#include "io/op.h"
#include "zokio/base/assert.h"

namespace zokio::io {

void OpTable::insert(Op& op) {
  ZOKIO_DCHECK(op.slot_ == kNoOpSlot, "an operation is in one table");
  if (free_ == kNone) {
    ZOKIO_CHECK(slots_.size() < kNone, "operation table full");
    slots_.push_back({.op = nullptr, .generation = 1, .next_free = kNone});
    free_ = static_cast<uint32_t>(slots_.size() - 1);
  }
  const uint32_t index = free_;
  Slot& slot = slots_[index];
  free_ = slot.next_free;
  slot.op = &op;
  op.slot_ = index;
  ++size_;
}

void OpTable::remove(Op& op) noexcept {
  ZOKIO_CHECK(op.slot_ < slots_.size() && slots_[op.slot_].op == &op,
              "operation not in this table");
  Slot& slot = slots_[op.slot_];
  slot.op = nullptr;
  slot.generation = (slot.generation + 1) & kGenerationMask;
  slot.next_free = free_;
  free_ = op.slot_;
  op.slot_ = kNoOpSlot;
  --size_;
}

OpTable::Key OpTable::key(const Op& op) const noexcept {
  ZOKIO_DCHECK(op.slot_ < slots_.size() && slots_[op.slot_].op == &op,
               "operation not in this table");
  return (Key{slots_[op.slot_].generation} << 32) | op.slot_;
}

Op* OpTable::find(Key key) const noexcept {
  const auto index = static_cast<uint32_t>(key);
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  return slot.generation == ((key >> 32) & kGenerationMask) ? slot.op : nullptr;
}

}  // namespace zokio::io
