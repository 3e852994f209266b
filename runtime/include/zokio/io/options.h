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

}  // namespace zokio
