// SPDX-License-Identifier: Apache-2.0
#pragma once

// When a send leaves its memory to the kernel instead of having it copied (IORING_OP_SEND_ZC), and
// when that is given up: the kernel says of each whether it had to copy all the same, as it does on
// loopback and for devices that cannot gather, and then it only costs.
// Thread: any.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "zokio/base/pinned.h"
#include "zokio/stats/counter.h"
#include "zokio/stats/snapshot.h"

namespace zokio::io {

class ZeroCopyPolicy : Pinned {
 public:
  // Below this a copy is cheaper than pinning pages and a second completion.
  static constexpr std::size_t kLeastBytes = 16 * 1024;
  // A trial is so many sends; if more than half of them were copied it is off for so many others.
  static constexpr uint64_t kTrial = 64;
  static constexpr uint64_t kOffFor = 4096;

  // The kernel has it. Before anything is sent.
  void enable() noexcept { native_ = true; }
  // True: send so. Otherwise it is counted as a plain one.
  bool use(std::size_t bytes) noexcept;
  // One has ended, with so many bytes.
  void sent(uint64_t bytes, bool copied) noexcept;
  // The kernel could not, so it is sent as usual.
  void refused() noexcept;

  ZeroCopySnapshot snapshot() const;

 private:
  bool native_ = false;  // constant after enable()
  stats::Counter sends_;
  stats::Counter bytes_;
  stats::Counter copied_;
  stats::Counter plain_;
  stats::Counter refused_;
  // Sends that are still to be done as usual before the next trial.
  std::atomic<int64_t> off_left_{0};
  // Of the trial under way: ends in the low half, copied in the high half.
  std::atomic<uint64_t> trial_{0};
};

}  // namespace zokio::io
