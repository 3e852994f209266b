// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bugs abort, with a message and a backtrace; a supervisor restarts, a durable store recovers.
//   ZOKIO_CHECK   always on: cheap tests whose failure means corruption.
//   ZOKIO_DCHECK  debug and sanitizer builds.

namespace zokio::internal {
// Writes the condition, the place and a backtrace to standard error, then aborts.
// Allocates nothing itself, so it works when memory is what broke.
[[noreturn, gnu::cold]] void panic(const char* file, int line, const char* condition,
                                   const char* message) noexcept;
}  // namespace zokio::internal

#define ZOKIO_INTERNAL_CHECK(condition, message)                         \
  do {                                                                   \
    if (!(condition)) [[unlikely]]                                       \
      ::zokio::internal::panic(__FILE__, __LINE__, #condition, message); \
  } while (false)

#define ZOKIO_CHECK(condition, message) ZOKIO_INTERNAL_CHECK(condition, message)
#define ZOKIO_PANIC(message) ::zokio::internal::panic(__FILE__, __LINE__, "unreachable", message)

#if defined(NDEBUG) && !defined(ZOKIO_DEBUG_CHECKS)
#define ZOKIO_DCHECK(condition, message) static_cast<void>(sizeof(!(condition)))
#else
#define ZOKIO_DCHECK(condition, message) ZOKIO_INTERNAL_CHECK(condition, message)
#endif
