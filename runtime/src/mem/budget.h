// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes held, the most ever held, and the cap on them. Thread: any.
//
// Ordering: seq_cst throughout. set_limit stores the limit and then reads the bytes; add raises the
// bytes and then reads the limit; so one of the two sees the other, and bytes above a limit are
// never missed by both.

#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/pinned.h"

namespace zokio::mem {

class Budget : Pinned {
 public:
  // False, and nothing changed, when the limit does not allow it.
  bool add(uint64_t bytes) noexcept {
    uint64_t held = held_.load();
    do {
      if (exceeds(held + bytes)) return false;
    } while (!held_.compare_exchange_weak(held, held + bytes));
    if (exceeds(held + bytes)) {  // the limit was lowered meanwhile
      held_.fetch_sub(bytes);
      return false;
    }
    raise_high_water(held + bytes);
    return true;
  }

  void add_above_limit(uint64_t bytes) noexcept {
    raise_high_water(held_.fetch_add(bytes) + bytes);
  }

  void subtract(uint64_t bytes) noexcept { held_.fetch_sub(bytes); }

  void set_limit(uint64_t bytes) noexcept { limit_.store(bytes); }

  uint64_t limit() const noexcept { return limit_.load(); }
  uint64_t held() const noexcept { return held_.load(); }
  uint64_t high_water() const noexcept { return high_water_.load(); }
  bool over() const noexcept { return exceeds(held()); }
  // How much must go until the limit holds.
  uint64_t excess() const noexcept {
    const uint64_t cap = limit();
    const uint64_t now = held();
    return cap != 0 && now > cap ? now - cap : 0;
  }

 private:
  bool exceeds(uint64_t bytes) const noexcept {
    const uint64_t cap = limit_.load();
    return cap != 0 && bytes > cap;
  }

  void raise_high_water(uint64_t bytes) noexcept {
    uint64_t seen = high_water_.load();
    while (seen < bytes && !high_water_.compare_exchange_weak(seen, bytes)) {
    }
  }

  Atomic<uint64_t> held_{0};
  Atomic<uint64_t> limit_{0};
  Atomic<uint64_t> high_water_{0};
};

}  // namespace zokio::mem
