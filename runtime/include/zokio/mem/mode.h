// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the allocator does besides allocating, chosen when the library is built.
//
//   UltraFast   no counting and no checks in a thread's magazines
//   Balanced    each allocation is counted, gross misuse is seen
//   Debug       every block is guarded, filled, held back when it is freed, and remembers who
//               allocated and who freed it (zokio/mem/debug.h)
//
// One mode for the library and all that uses it: object files of two modes do not link, because
// each wants a symbol that only the library of its own mode has.

#include <cstdint>

#ifndef ZOKIO_MEMORY_MODE
#define ZOKIO_MEMORY_MODE Balanced
#endif

#define ZOKIO_INTERNAL_JOIN(a, b) a##b
#define ZOKIO_INTERNAL_JOIN_MODE(a, mode) ZOKIO_INTERNAL_JOIN(a, mode)

namespace zokio::mem {

enum class Mode : uint8_t { UltraFast, Balanced, Debug };

// CMake: -DZOKIO_MEMORY_MODE=Debug; the targets of the library carry it to their users.
inline constexpr Mode kMode = Mode::ZOKIO_MEMORY_MODE;

namespace internal {
extern const char ZOKIO_INTERNAL_JOIN_MODE(built_in_mode_, ZOKIO_MEMORY_MODE);
[[gnu::used]] inline const char* const ZOKIO_INTERNAL_JOIN_MODE(wants_mode_, ZOKIO_MEMORY_MODE) =
    &ZOKIO_INTERNAL_JOIN_MODE(built_in_mode_, ZOKIO_MEMORY_MODE);
}  // namespace internal

}  // namespace zokio::mem
