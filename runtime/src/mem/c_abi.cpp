// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/allocate.h"
#include "zokio/mem/pools.h"
#include "zokio_alloc.h"

namespace mem = zokio::mem;

void* zokio_alloc(size_t bytes) {
  return mem::allocate(bytes);
}
void* zokio_alloc_zeroed(size_t count, size_t bytes) {
  size_t total = 0;
  return __builtin_mul_overflow(count, bytes, &total) ? nullptr : mem::allocate_zeroed(total);
}
void* zokio_alloc_aligned(size_t alignment, size_t bytes) {
  return mem::allocate_aligned(bytes, alignment);
}
void* zokio_realloc(void* memory, size_t bytes) {
  return mem::reallocate(memory, bytes);
}
void zokio_free(void* memory) {
  mem::deallocate(memory);
}
void zokio_free_sized(void* memory, size_t bytes) {
  mem::deallocate(memory, bytes);
}
size_t zokio_usable_size(const void* memory) {
  return mem::usable_size(memory);
}
int zokio_attach_thread(void) {
  return mem::attach_thread() ? 1 : 0;
}
size_t zokio_trim(void) {
  return mem::trim();
}
