// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sleep on a word and wake its sleepers. Private to the process.
// Thread: any.

#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/clock.h"

namespace zokio::os {

// Sleeps while `word` == `expected`, at most until `deadline`. Returns early for any reason, also
// for none (a signal): the caller looks at its own state again.
void futex_wait(Atomic<uint32_t>& word, uint32_t expected, Instant deadline) noexcept;

// Wakes at most `count` sleepers. Ordering: none of its own; the caller's store to `word` comes
// first and the woken thread reads it again.
void futex_wake(Atomic<uint32_t>& word, int count) noexcept;

}  // namespace zokio::os
