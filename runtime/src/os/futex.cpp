// SPDX-License-Identifier: Apache-2.0
#include "os/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "zokio/base/assert.h"

namespace zokio::os {
namespace {

uint32_t* word_of(Atomic<uint32_t>& word) {
  static_assert(sizeof(word) == sizeof(uint32_t) && Atomic<uint32_t>::is_always_lock_free);
  return reinterpret_cast<uint32_t*>(&word);
}

}  // namespace

void futex_wait(Atomic<uint32_t>& word, uint32_t expected, Instant deadline) noexcept {
  // WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC; plain WAIT takes a relative one, which
  // would drift when signals interrupt the wait.
  timespec until{};
  if (!deadline.is_never()) {
    const int64_t ns = deadline.ns < 0 ? 0 : deadline.ns;
    until = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  }
  const long rc =
      syscall(SYS_futex, word_of(word), FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
              deadline.is_never() ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  ZOKIO_CHECK(rc == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT,
              "futex_wait: the word or the time is invalid");
}

void futex_wake(Atomic<uint32_t>& word, int count) noexcept {
  const long rc = syscall(SYS_futex, word_of(word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr,
                          nullptr, 0);
  ZOKIO_CHECK(rc >= 0, "futex_wake: the word is invalid");
}

}  // namespace zokio::os
