// SPDX-License-Identifier: Apache-2.0
#pragma once

// Free blocks are poisoned for AddressSanitizer, so that a use after free, a second free and a
// write past the bytes asked for are reported although the memory never leaves the process.
// Mappings are roots of the leak search: frames hold pointers that are seen nowhere else.

#include <cstddef>

#include "zokio/base/sanitizer.h"

#ifdef ZOKIO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace zokio::mem {

#ifdef ZOKIO_ASAN
inline void poison(void* p, std::size_t bytes) noexcept {
  __asan_poison_memory_region(p, bytes);
}
inline void unpoison(void* p, std::size_t bytes) noexcept {
  __asan_unpoison_memory_region(p, bytes);
}
inline void add_root(void* p, std::size_t bytes) noexcept {
  __lsan_register_root_region(p, bytes);
}
inline void remove_root(void* p, std::size_t bytes) noexcept {
  __lsan_unregister_root_region(p, bytes);
}
// Reports the free of memory that is free already.
inline void check_not_poisoned(void* p, std::size_t bytes) noexcept {
  if (void* bad = __asan_region_is_poisoned(p, bytes)) {
    static_cast<void>(*static_cast<volatile char*>(bad));
  }
}
#else
inline void check_not_poisoned(void*, std::size_t) noexcept {}
inline void poison(void*, std::size_t) noexcept {}
inline void unpoison(void*, std::size_t) noexcept {}
inline void add_root(void*, std::size_t) noexcept {}
inline void remove_root(void*, std::size_t) noexcept {}
#endif

}  // namespace zokio::mem
