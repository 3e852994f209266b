// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the runtime does I/O: the part of its options that concerns reactors.

#include <cstdint>

namespace zokio {

// Auto: io_uring when its probe passes, otherwise epoll, and the reason is kept (IoSnapshot).
enum class Backend : uint8_t { Auto, Uring, Epoll };

// Inline: worker i hosts reactor i and polls it between tasks. Dedicated: a thread for each
// reactor.
enum class Placement : uint8_t { Inline, Dedicated };

// How the size of a ring changes. InPlace: by the kernel, and where it cannot (before Linux 6.13)
// as the other. Replace: by a new ring; what is in flight in the old one moves or is awaited.
enum class RingChange : uint8_t { InPlace, Replace };

}  // namespace zokio
