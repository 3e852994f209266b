// SPDX-License-Identifier: Apache-2.0
#pragma once

// Objects of one type, made and given back often.
//
//   ObjectPool<Session> sessions({.most = 10'000});
//   ZOKIO_TRY(auto session, sessions.make(socket));   // goes back when the handle does
//
// The memory comes from the heap, whose magazines are the fast path: a free list here would be a
// second one behind a lock, and slower than what it saves. What the pool adds is a bound, figures
// of this one type, and a reserve: memory that is kept back for when the heap refuses.
// Thread: any; an object may be given back on another thread than the one that made it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/base/atomic.h"
#include "zokio/base/cache_line.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"
#include "zokio/base/spin_lock.h"
#include "zokio/mem/allocate.h"
#include "zokio/stats/counter.h"

namespace zokio::mem {

struct ObjectPoolOptions {
  uint64_t most = 0;  // live objects; 0: no bound of its own
};

struct ObjectPoolSnapshot {
  uint64_t live = 0;
  uint64_t high_water = 0;    // most live ones; exact when makes and frees do not overlap
  uint64_t made = 0;          // ever
  uint64_t refused_most = 0;  // makes that met the bound
  uint64_t refused_memory = 0;
  uint64_t from_reserve = 0;  // made from it, because the heap refused
  uint64_t reserve = 0;       // blocks it holds now
};

namespace internal {

// What does not depend on the type.
class ObjectLedger : Pinned {
 public:
  explicit ObjectLedger(uint64_t most) noexcept : most_(most) {}

  // Counts one more live object; false at the bound.
  bool enter() noexcept {
    if (most_ != 0) return enter_bounded();
    raise_high_water(entered_.fetch_add(1, std::memory_order_relaxed) + 1);
    return true;
  }
  // The last touch of the pool by the thread that gives an object back.
  // Ordering: release; pairs with the acquire in live(), so that the pool may end after it.
  void leave() noexcept { left_.fetch_add(1, std::memory_order_release); }
  // It was counted, and then not made.
  void failed(bool memory) noexcept {
    failed_.add_shared();
    if (memory) refused_memory_.add_shared();
    leave();
  }

  uint64_t live() const noexcept {
    // In this order, so that the difference is never negative.
    const uint64_t left = left_.load(std::memory_order_acquire);
    return entered_.load(std::memory_order_relaxed) - left;
  }

  bool reserve_is_short() const noexcept {
    return held_.load(std::memory_order_relaxed) < wanted_.load(std::memory_order_relaxed);
  }
  // Null when there is none.
  void* take_reserve() noexcept;
  // False: the reserve is full.
  bool give_reserve(void* block) noexcept;
  // Blocks that it should hold; the number that it lacks now.
  uint64_t want_reserve(uint64_t blocks) noexcept;
  // One that it holds above what is wanted; null when there is none.
  void* take_excess() noexcept;

  ObjectPoolSnapshot snapshot() const noexcept;

 private:
  struct Spare {
    Spare* next;
  };

  bool enter_bounded() noexcept;
  Spare* pop() noexcept;
  // Of two counts read at different times, of which the second may have passed the first.
  static uint64_t between(uint64_t entered, uint64_t left) noexcept {
    return entered > left ? entered - left : 0;
  }
  void raise_high_water(uint64_t entered) noexcept {
    const uint64_t now = between(entered, left_.load(std::memory_order_relaxed));
    uint64_t seen = high_water_.load(std::memory_order_relaxed);
    while (seen < now && !high_water_.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
    }
  }

  const uint64_t most_;
  stats::Counter failed_;
  stats::Counter refused_most_;
  stats::Counter refused_memory_;
  stats::Counter from_reserve_;
  std::atomic<uint64_t> high_water_{0};
  std::atomic<uint64_t> wanted_{0};
  std::atomic<uint64_t> held_{0};  // changed with the lock held
  SpinLock lock_;
  Spare* spares_ = nullptr;  // guarded by lock_
  // Apart, because one thread may make what another gives back.
  alignas(kCacheLine) Atomic<uint64_t> entered_{0};
  alignas(kCacheLine) Atomic<uint64_t> left_{0};
};

}  // namespace internal

template <class T>
class ObjectPool : Pinned {
 public:
  class Return {
   public:
    Return() noexcept = default;
    explicit Return(ObjectPool* pool) noexcept : pool_(pool) {}
    void operator()(T* object) const noexcept { pool_->destroy(object); }

   private:
    ObjectPool* pool_ = nullptr;
  };
  // Owns one object; does not outlive the pool.
  using Handle = std::unique_ptr<T, Return>;

  explicit ObjectPool(ObjectPoolOptions options = {}) noexcept : ledger_(options.most) {}
  // Requires: no object is live.
  ~ObjectPool() {
    ZOKIO_CHECK(ledger_.live() == 0, "a pool of objects ends while one of them lives");
    static_cast<void>(ledger_.want_reserve(0));
    while (void* block = ledger_.take_excess()) give(block);
  }

  // T(args...). Errors: ResourceExhausted/Limit at the bound, ResourceExhausted when neither the
  // heap nor the reserve has memory. What the constructor throws goes on, and nothing is lost.
  template <class... A>
  Result<Handle> make(A&&... args) {
    if (!ledger_.enter()) [[unlikely]]
      return fail(Errc::ResourceExhausted, "object pool", Detail::Limit);
    void* block = obtain();
    if (block == nullptr) [[unlikely]]
      block = ledger_.take_reserve();
    if (block == nullptr) [[unlikely]] {
      ledger_.failed(/*memory=*/true);
      return fail(Errc::ResourceExhausted, "object pool");
    }
    try {
      return Handle(new (block) T(std::forward<A>(args)...), Return(this));
    } catch (...) {
      put_back(block);
      ledger_.failed(/*memory=*/false);
      throw;
    }
  }

  // Keeps memory for `objects` more than are live, whatever the heap says later; what is given back
  // fills it up first. 0 gives it up. Errors: ResourceExhausted; then it holds what could be had.
  Result<void> reserve(uint64_t objects) noexcept {
    for (uint64_t missing = ledger_.want_reserve(objects); missing > 0; --missing) {
      void* block = obtain();
      if (block == nullptr) return fail(Errc::ResourceExhausted, "object pool reserve");
      if (!ledger_.give_reserve(block)) give(block);
    }
    while (void* block = ledger_.take_excess()) give(block);
    return {};
  }

  ObjectPoolSnapshot snapshot() const noexcept { return ledger_.snapshot(); }

 private:
  static_assert(alignof(T) <= kChunkBytes, "the heap has no larger alignment");
  static constexpr bool kHasClass = sizeof(T) <= kMaxBlock && alignof(T) <= kAlignment;

  static void* obtain() noexcept {
    if constexpr (kHasClass) {
      return allocate<sizeof(T), alignof(T)>();
    } else {
      return allocate_aligned(sizeof(T), alignof(T));
    }
  }
  static void give(void* block) noexcept {
    if constexpr (kHasClass) {
      deallocate<sizeof(T), alignof(T)>(block);
    } else {
      deallocate(block);
    }
  }

  void put_back(void* block) noexcept {
    if (ledger_.reserve_is_short() && ledger_.give_reserve(block)) [[unlikely]]
      return;
    give(block);
  }
  void destroy(T* object) noexcept {
    object->~T();
    put_back(object);
    ledger_.leave();
  }

  internal::ObjectLedger ledger_;
};

}  // namespace zokio::mem
