// SPDX-License-Identifier: Apache-2.0
// The operators of C++, without the way through malloc. Those that are not here (arrays, with a
// size) come to these by the standard library's defaults.

#include <new>

#include "zokio/mem/allocate.h"

namespace {

namespace mem = zokio::mem;

// As the standard wants it: the handler is asked until there is memory or no handler.
[[gnu::noinline]] void* try_again(std::size_t bytes, std::size_t alignment) {
  for (;;) {
    if (void* p = mem::allocate_aligned(bytes, alignment)) return p;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void* try_again_or_null(std::size_t bytes, std::size_t alignment) noexcept {
  try {
    return try_again(bytes, alignment);
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

#define ZOKIO_EXPORT [[gnu::visibility("default")]]

ZOKIO_EXPORT void* operator new(std::size_t bytes) {
  void* p = mem::allocate(bytes);
  return p != nullptr ? p : try_again(bytes, mem::kAlignment);
}
ZOKIO_EXPORT void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  void* p = mem::allocate(bytes);
  return p != nullptr ? p : try_again_or_null(bytes, mem::kAlignment);
}
ZOKIO_EXPORT void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return try_again(bytes, static_cast<std::size_t>(alignment));
}
ZOKIO_EXPORT void* operator new(std::size_t bytes, std::align_val_t alignment,
                                const std::nothrow_t&) noexcept {
  return try_again_or_null(bytes, static_cast<std::size_t>(alignment));
}

ZOKIO_EXPORT void operator delete(void* p) noexcept {
  mem::deallocate(p);
}
ZOKIO_EXPORT void operator delete(void* p, std::align_val_t) noexcept {
  mem::deallocate(p);
}
