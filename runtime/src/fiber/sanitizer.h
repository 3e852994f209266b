// SPDX-License-Identifier: Apache-2.0
#pragma once

// What AddressSanitizer and ThreadSanitizer have to be told about a change of stacks; nothing in
// other builds. Each pair of calls encloses a switch: `leaving` just before, `arrived` just after.

#include <cstddef>

#include "zokio/base/sanitizer.h"

#ifdef ZOKIO_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ZOKIO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace zokio::fibers::sanitizer {

// `save` null: the stack that is left is never entered again.
inline void asan_leaving([[maybe_unused]] void** save, [[maybe_unused]] const void* bottom,
                         [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef ZOKIO_ASAN
  __sanitizer_start_switch_fiber(save, bottom, bytes);
#endif
}
inline void asan_arrived([[maybe_unused]] void* saved, [[maybe_unused]] const void** from_bottom,
                         [[maybe_unused]] std::size_t* from_bytes) noexcept {
#ifdef ZOKIO_ASAN
  __sanitizer_finish_switch_fiber(saved, from_bottom, from_bytes);
#endif
}

inline void* tsan_create() noexcept {
#ifdef ZOKIO_TSAN
  return __tsan_create_fiber(0);
#else
  return nullptr;
#endif
}
inline void tsan_destroy([[maybe_unused]] void* fiber) noexcept {
#ifdef ZOKIO_TSAN
  __tsan_destroy_fiber(fiber);
#endif
}
inline void* tsan_current() noexcept {
#ifdef ZOKIO_TSAN
  return __tsan_get_current_fiber();
#else
  return nullptr;
#endif
}
// A macro would be the usual form, because an instrumented function around the switch would note
// its return on the other side; an inlined call has no such notes.
[[gnu::always_inline]] inline void tsan_leaving([[maybe_unused]] void* to) noexcept {
#ifdef ZOKIO_TSAN
  __tsan_switch_to_fiber(to, 0);
#endif
}

}  // namespace zokio::fibers::sanitizer
