// SPDX-License-Identifier: Apache-2.0
#pragma once

// zokio::Atomic<T> of a model build: the interface of std::atomic, and every access is a step of
// the explorer (explorer.h), which chooses who goes next and which value a load sees. Outside of an
// execution an access acts at once. Included by zokio/base/atomic.h under ZOKIO_MODEL, only there.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

namespace zokio::model {

using Where = std::source_location;

enum class Rmw : uint8_t { Exchange, Add, Sub, And, Or, Xor };

// The steps. Values travel as the low bytes of a 64-bit word.
uint64_t load(const void* at, unsigned size, std::memory_order order, Where where) noexcept;
void store(void* at, unsigned size, uint64_t value, std::memory_order order, Where where) noexcept;
uint64_t modify(void* at, unsigned size, Rmw what, uint64_t operand, std::memory_order order,
                Where where) noexcept;
bool compare_exchange(void* at, unsigned size, uint64_t& expected, uint64_t desired,
                      std::memory_order success, std::memory_order failure, bool weak,
                      Where where) noexcept;
void fence(std::memory_order order, Where where = Where::current()) noexcept;
// A turn of a loop that waits for another thread: the others go first until one of them changed
// something that this thread has looked at.
void spin_pause(Where where = Where::current()) noexcept;
// A new atomic object begins at this address.
void constructed(const void* at) noexcept;

// What a failing compare-exchange may order, when only the order of success is given.
constexpr std::memory_order failure_of(std::memory_order success) noexcept {
  if (success == std::memory_order_acq_rel) return std::memory_order_acquire;
  if (success == std::memory_order_release) return std::memory_order_relaxed;
  return success;
}

}  // namespace zokio::model

namespace zokio {

template <class T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  using Order = std::memory_order;
  using Where = model::Where;
  static constexpr Order kSeqCst = std::memory_order_seq_cst;
  static constexpr unsigned kSize = sizeof(T);
  // Of a pointer the difference is in elements; nothing in the runtime does arithmetic on those.
  static constexpr bool kInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  constexpr Atomic() noexcept : Atomic(T()) {}
  constexpr Atomic(T value) noexcept : value_(value) {
    if (!std::is_constant_evaluated()) model::constructed(&value_);
  }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(Order order = kSeqCst, Where where = Where::current()) const noexcept {
    return of(model::load(&value_, kSize, order, where));
  }
  void store(T value, Order order = kSeqCst, Where where = Where::current()) noexcept {
    model::store(&value_, kSize, bits(value), order, where);
  }
  T exchange(T value, Order order = kSeqCst, Where where = Where::current()) noexcept {
    return of(model::modify(&value_, kSize, model::Rmw::Exchange, bits(value), order, where));
  }
  bool compare_exchange_strong(T& expected, T desired, Order success, Order failure,
                               Where where = Where::current()) noexcept {
    return exchange_if(expected, desired, success, failure, false, where);
  }
  bool compare_exchange_strong(T& expected, T desired, Order order = kSeqCst,
                               Where where = Where::current()) noexcept {
    return exchange_if(expected, desired, order, model::failure_of(order), false, where);
  }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure,
                             Where where = Where::current()) noexcept {
    return exchange_if(expected, desired, success, failure, true, where);
  }
  bool compare_exchange_weak(T& expected, T desired, Order order = kSeqCst,
                             Where where = Where::current()) noexcept {
    return exchange_if(expected, desired, order, model::failure_of(order), true, where);
  }
  T fetch_add(T n, Order order = kSeqCst, Where where = Where::current()) noexcept
    requires kInteger
  {
    return of(model::modify(&value_, kSize, model::Rmw::Add, bits(n), order, where));
  }
  T fetch_sub(T n, Order order = kSeqCst, Where where = Where::current()) noexcept
    requires kInteger
  {
    return of(model::modify(&value_, kSize, model::Rmw::Sub, bits(n), order, where));
  }
  T fetch_and(T n, Order order = kSeqCst, Where where = Where::current()) noexcept
    requires kInteger
  {
    return of(model::modify(&value_, kSize, model::Rmw::And, bits(n), order, where));
  }
  T fetch_or(T n, Order order = kSeqCst, Where where = Where::current()) noexcept
    requires kInteger
  {
    return of(model::modify(&value_, kSize, model::Rmw::Or, bits(n), order, where));
  }
  T fetch_xor(T n, Order order = kSeqCst, Where where = Where::current()) noexcept
    requires kInteger
  {
    return of(model::modify(&value_, kSize, model::Rmw::Xor, bits(n), order, where));
  }
  operator T() const noexcept { return load(); }
  T operator=(T value) noexcept {
    store(value);
    return value;
  }

 private:
  static uint64_t bits(T value) noexcept {
    uint64_t out = 0;
    std::memcpy(&out, &value, sizeof value);
    return out;
  }
  static T of(uint64_t bits) noexcept {
    T out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
  bool exchange_if(T& expected, T desired, Order success, Order failure, bool weak,
                   Where where) noexcept {
    uint64_t seen = bits(expected);
    const bool done =
        model::compare_exchange(&value_, kSize, seen, bits(desired), success, failure, weak, where);
    if (!done) expected = of(seen);
    return done;
  }

  // The newest value; the explorer alone touches it during an execution.
  T value_;
};

}  // namespace zokio
