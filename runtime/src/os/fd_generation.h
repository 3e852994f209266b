// SPDX-License-Identifier: Apache-2.0
#pragma once

// How often a descriptor number has changed hands. Who keeps something under a number (an epoll
// registration, which the kernel drops at the close without a word) sees by it that the number
// means another object now. os::Fd counts, before it closes or gives up a number, so whoever gets
// the number next reads the new count. Thread: any.

#include <cstdint>

namespace zokio::os {

// Higher numbers are not followed. The table is 4 MiB of zeros, resident where it is written.
inline constexpr int kFollowedFds = 1 << 20;

extern uint32_t fd_generations[kFollowedFds];  // atomic

inline bool is_followed(int fd) noexcept {
  return fd >= 0 && fd < kFollowedFds;
}
// Requires: is_followed(fd).
// Ordering: acquire and release, though the kernel's own lock around the table of descriptors
// already stands between a close and whoever gets the number.
inline uint32_t fd_generation(int fd) noexcept {
  return __atomic_load_n(&fd_generations[fd], __ATOMIC_ACQUIRE);
}
inline void fd_changes_hands(int fd) noexcept {
  if (is_followed(fd)) __atomic_fetch_add(&fd_generations[fd], 1, __ATOMIC_RELEASE);
}

}  // namespace zokio::os
