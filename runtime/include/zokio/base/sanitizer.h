// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which sanitizer this build has, whatever the compiler: ZOKIO_ASAN and ZOKIO_TSAN are defined or
// not, for what must not be compiled otherwise, and kSanitized for the rest (tests that count or
// measure).

#if defined(__SANITIZE_ADDRESS__)
#define ZOKIO_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define ZOKIO_TSAN 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ZOKIO_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define ZOKIO_TSAN 1
#endif
#endif

namespace zokio {

#if defined(ZOKIO_ASAN) || defined(ZOKIO_TSAN)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace zokio
