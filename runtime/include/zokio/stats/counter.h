// SPDX-License-Identifier: Apache-2.0
#pragma once

// A counter that only grows. Thread: any may read; see add and add_shared for writers.

#include <atomic>
#include <cstdint>

namespace zokio::stats {

class Counter {
 public:
  constexpr Counter() noexcept = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  // Requires: one thread at a time writes this counter. A plain load and store, no locked
  // instruction.
  void add(uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  // Thread: any.
  void add_shared(uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }

  uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace zokio::stats
