// SPDX-License-Identifier: Apache-2.0
#pragma once

// Virtual time: how much work somebody has had, in nanoseconds divided by his shares. Who is
// furthest behind goes next; then everybody gets time in proportion to his shares.
// Source: stride scheduling (Waldspurger), with the clamp of Linux' fair scheduler: who had nothing
// to do does not save up the time.
//
// Values wrap and are compared by difference: right for 100 days of one worker's time at one share.

#include <algorithm>
#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/clock.h"

namespace zokio::sched {

inline constexpr uint64_t kVirtualScale = 1024;
inline constexpr unsigned kDefaultShares = 100;
inline constexpr unsigned kSharesMost = 10'000;

constexpr uint64_t virtual_time(uint64_t ns, uint64_t shares) noexcept {
  return ns * kVirtualScale / shares + 1;
}
constexpr bool is_before(uint64_t a, uint64_t b) noexcept {
  return static_cast<int64_t>(a - b) < 0;
}

// How far behind the others somebody may be who comes back: that much he gets at once.
inline constexpr uint64_t kComeback = virtual_time(500'000, kDefaultShares);

// Thread: any. Races between chargers lose nothing; a clamp may be late by one charge.
class VirtualClock {
 public:
  // As seen at virtual time `now`.
  uint64_t read(uint64_t now) const noexcept {
    const uint64_t value = value_.load(std::memory_order_relaxed);
    return is_before(value, now - kComeback) ? now - kComeback : value;
  }
  void charge(uint64_t now, uint64_t ns, uint64_t shares) noexcept {
    const uint64_t step = virtual_time(ns, shares);
    uint64_t value = value_.load(std::memory_order_relaxed);
    uint64_t next;
    do {
      next = (is_before(value, now - kComeback) ? now - kComeback : value) + step;
    } while (!value_.compare_exchange_weak(value, next, std::memory_order_relaxed,
                                           std::memory_order_relaxed));
  }
  // Only forward.
  void advance(uint64_t to) noexcept {
    uint64_t value = value_.load(std::memory_order_relaxed);
    while (is_before(value, to) &&
           !value_.compare_exchange_weak(value, to, std::memory_order_relaxed,
                                         std::memory_order_relaxed)) {
    }
  }
  // Somebody new.
  void set(uint64_t to) noexcept { value_.store(to, std::memory_order_relaxed); }
  uint64_t now() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  Atomic<uint64_t> value_{0};
};

// What a worker keeps to bound the classes that do not go by shares: credit in nanoseconds, that
// grows with time and shrinks with use. One owner.
class Allowance {
 public:
  constexpr Allowance(int64_t percent, Duration window) noexcept
      : percent_(percent), most_(window.count() * percent / 100), credit_(most_) {}

  void passed(int64_t ns) noexcept { credit_ = std::min(most_, credit_ + ns * percent_ / 100); }
  void used(int64_t ns) noexcept { credit_ -= ns; }
  bool left() const noexcept { return credit_ > 0; }

 private:
  int64_t percent_;
  int64_t most_;
  int64_t credit_;
};

// Interactive tasks go first for half of 10 ms; background tasks get 1 ms of 100 however busy the
// rest is.
struct GroupTurns {
  Allowance interactive{50, std::chrono::milliseconds(10)};
  Allowance background{1, std::chrono::milliseconds(100)};
  int64_t accrued_ns = 0;  // until then time has been credited
  uint32_t takes = 0;
};

}  // namespace zokio::sched
