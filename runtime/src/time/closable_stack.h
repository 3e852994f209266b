// SPDX-License-Identifier: Apache-2.0
#pragma once

// A stack of linked items that any thread pushes to and one thread empties as a whole, until it is
// closed: then push() fails, and whatever was pushed before has come out of close().
//
// Nothing is popped singly, so no item can come back under a pushing thread's feet (no ABA).
// T has a member `next`. Thread: push() and open() any; the rest the owner.
// Source: Treiber, "Systems Programming: Coping with Parallelism" (1986); the closing mark is ours.

#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/pinned.h"

namespace zokio::time {

template <class T>
class ClosableStack : Pinned {
 public:
  // Pushes the list first..last (last->next is overwritten). False when it is closed; then the
  // items are still the caller's, and everything done before close() is visible to it.
  // Ordering: release on success, pairs with take_all(); acquire on failure, pairs with close().
  bool push(T* first, T* last) noexcept {
    T* top = top_.load(std::memory_order_acquire);
    do {
      if (top == closed()) return false;
      last->next = top;
    } while (!top_.compare_exchange_weak(top, first, std::memory_order_release,
                                         std::memory_order_acquire));
    return true;
  }

  bool empty() const noexcept { return top_.load(std::memory_order_relaxed) == nullptr; }
  T* take_all() noexcept {
    T* top = top_.load(std::memory_order_relaxed);
    if (top == nullptr || top == closed()) return nullptr;
    return top_.exchange(nullptr, std::memory_order_acquire);
  }
  // The last items; null when it was closed already.
  T* close() noexcept {
    T* top = top_.exchange(closed(), std::memory_order_acq_rel);
    return top == closed() ? nullptr : top;
  }
  // Idempotent. Thread: any.
  void open() noexcept {
    T* top = closed();
    // Ordering: relaxed; who may push learns of it through other synchronisation, or is refused.
    top_.compare_exchange_strong(top, nullptr, std::memory_order_relaxed);
  }

 private:
  // An address that no item has.
  static T* closed() noexcept { return reinterpret_cast<T*>(uintptr_t{1}); }

  Atomic<T*> top_{nullptr};
};

}  // namespace zokio::time
