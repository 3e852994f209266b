// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whether a read of a file looks into the page cache first. When it is there, that is the whole
// read: no suspension, no ring or blocking pool, and the bytes are still in the processor's cache
// when the task goes on. When it is not, the look was a system call (0.3 us) in vain, so after a
// miss the next reads do without, twice as many each time: a disk that is read at random pays for
// one look in kMostWithout. Thread: the reactor's owner.

#include <algorithm>
#include <cstdint>

namespace zokio::io {

class CachedFirst {
 public:
  static constexpr uint32_t kMostWithout = 64;

  bool worth_it() noexcept {
    if (without_ == 0) return true;
    --without_;
    return false;
  }
  // What the last look found.
  void was(bool there) noexcept {
    if (there) {
      next_without_ = 1;
      return;
    }
    without_ = next_without_;
    next_without_ = std::min(2 * next_without_, kMostWithout);
  }

 private:
  uint32_t without_ = 0;  // reads that still do not look
  uint32_t next_without_ = 1;
};

}  // namespace zokio::io
