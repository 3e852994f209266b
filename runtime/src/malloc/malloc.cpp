// SPDX-License-Identifier: Apache-2.0
// malloc and its relatives, as the C library and POSIX describe them. Thread: any.
//
// Errors are as there: null and ENOMEM. What is no block of ours aborts with a message, because the
// program's memory is damaged already.

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <bit>

#include "mem/fork.h"
#include "zokio/mem/allocate.h"
#include "zokio/mem/pools.h"

namespace {

namespace mem = zokio::mem;

void* or_enomem(void* p) noexcept {
  if (p == nullptr) [[unlikely]]
    errno = ENOMEM;
  return p;
}

void* aligned(size_t alignment, size_t bytes) noexcept {
  if (!std::has_single_bit(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return or_enomem(mem::allocate_aligned(bytes, alignment));
}

size_t page() noexcept {
  return static_cast<size_t>(getpagesize());
}

[[gnu::constructor]] void follow_forks() {
  pthread_atfork(&mem::before_fork, &mem::after_fork, &mem::after_fork);
}

}  // namespace

#define ZOKIO_EXPORT extern "C" [[gnu::visibility("default")]]

ZOKIO_EXPORT void* malloc(size_t bytes) noexcept {
  return or_enomem(mem::allocate(bytes));
}

ZOKIO_EXPORT void free(void* p) noexcept {
  mem::deallocate(p);  // leaves errno alone: munmap and madvise of own memory do not fail
}

ZOKIO_EXPORT void* calloc(size_t count, size_t bytes) noexcept {
  size_t total = 0;
  if (__builtin_mul_overflow(count, bytes, &total)) return or_enomem(nullptr);
  return or_enomem(mem::allocate_zeroed(total));
}

// 0 bytes free it, as in glibc.
ZOKIO_EXPORT void* realloc(void* p, size_t bytes) noexcept {
  if (p != nullptr && bytes == 0) {
    mem::deallocate(p);
    return nullptr;
  }
  return or_enomem(mem::reallocate(p, bytes));
}

ZOKIO_EXPORT void* reallocarray(void* p, size_t count, size_t bytes) noexcept {
  size_t total = 0;
  if (__builtin_mul_overflow(count, bytes, &total)) return or_enomem(nullptr);
  return realloc(p, total);
}

ZOKIO_EXPORT int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  if (!std::has_single_bit(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* p = mem::allocate_aligned(bytes, alignment);
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

ZOKIO_EXPORT void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  return aligned(alignment, bytes);
}

ZOKIO_EXPORT void* memalign(size_t alignment, size_t bytes) noexcept {
  return aligned(alignment, bytes);
}

ZOKIO_EXPORT void* valloc(size_t bytes) noexcept {
  return aligned(page(), bytes);
}

ZOKIO_EXPORT void* pvalloc(size_t bytes) noexcept {
  const size_t whole = (bytes + page() - 1) / page() * page();
  return whole < bytes ? or_enomem(nullptr) : aligned(page(), whole);
}

ZOKIO_EXPORT size_t malloc_usable_size(void* p) noexcept {
  return mem::usable_size(p);
}

// What glibc would keep is not asked for: nothing that is free is kept.
ZOKIO_EXPORT int malloc_trim(size_t) noexcept {
  return mem::trim() > 0 ? 1 : 0;
}
