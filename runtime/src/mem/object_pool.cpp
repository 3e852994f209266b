// SPDX-License-Identifier: Apache-2.0
// The bound, the reserve and the figures of ObjectPool.

#include "zokio/mem/object_pool.h"

#include <mutex>

namespace zokio::mem::internal {

bool ObjectLedger::enter_bounded() noexcept {
  // Ordering: acquire; what was given back before is gone when its place is taken.
  uint64_t left = left_.load(std::memory_order_acquire);
  uint64_t entered = entered_.load(std::memory_order_relaxed);
  for (;;) {
    if (between(entered, left) >= most_) {
      // `left` may be older than `entered`. Read after it, it cannot refuse too early.
      left = left_.load(std::memory_order_acquire);
      if (between(entered, left) >= most_) {
        refused_most_.add_shared();
        return false;
      }
    }
    // An old `left` makes the objects look more, never fewer: the bound holds.
    if (entered_.compare_exchange_weak(entered, entered + 1, std::memory_order_relaxed)) {
      raise_high_water(entered + 1);
      return true;
    }
  }
}

// With the lock held.
ObjectLedger::Spare* ObjectLedger::pop() noexcept {
  Spare* spare = spares_;
  if (spare == nullptr) return nullptr;
  spares_ = spare->next;
  held_.fetch_sub(1, std::memory_order_relaxed);
  return spare;
}

void* ObjectLedger::take_reserve() noexcept {
  const std::scoped_lock guard(lock_);
  Spare* spare = pop();
  if (spare != nullptr) from_reserve_.add_shared();
  return spare;
}

bool ObjectLedger::give_reserve(void* block) noexcept {
  const std::scoped_lock guard(lock_);
  if (!reserve_is_short()) return false;
  spares_ = new (block) Spare{spares_};
  held_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

uint64_t ObjectLedger::want_reserve(uint64_t blocks) noexcept {
  const std::scoped_lock guard(lock_);
  wanted_.store(blocks, std::memory_order_relaxed);
  const uint64_t held = held_.load(std::memory_order_relaxed);
  return blocks > held ? blocks - held : 0;
}

void* ObjectLedger::take_excess() noexcept {
  const std::scoped_lock guard(lock_);
  const bool excess =
      held_.load(std::memory_order_relaxed) > wanted_.load(std::memory_order_relaxed);
  return excess ? pop() : nullptr;
}

ObjectPoolSnapshot ObjectLedger::snapshot() const noexcept {
  ObjectPoolSnapshot out;
  out.live = live();
  const uint64_t failed = failed_.read();
  const uint64_t entered = entered_.load(std::memory_order_relaxed);
  out.made = entered - failed;
  out.high_water = high_water_.load(std::memory_order_relaxed);
  out.refused_most = refused_most_.read();
  out.refused_memory = refused_memory_.read();
  out.from_reserve = from_reserve_.read();
  out.reserve = held_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace zokio::mem::internal
