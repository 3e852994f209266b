/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZOKIO_ALLOC_H
#define ZOKIO_ALLOC_H

/* The heap of zokio for C: memory from the pool "heap", whose figures and cap are those of the
 * runtime (zokio/mem/pools.h). For malloc itself on this heap see libzokio-malloc.so.
 * Thread: any; memory may be freed on another thread than the one that allocated it. */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* At least `bytes` bytes, aligned to 16, unspecified content; 0 is like 1. NULL when the cap of the pool (or of all pools) does not allow it, or the system has none. */
void* zokio_alloc(size_t bytes);

/* `count` times `bytes`, all 0. NULL also when the product is too large. */
void* zokio_alloc_zeroed(size_t count, size_t bytes);

/* Requires: `alignment` is a power of two. NULL also when it is above 4 MiB. */
void* zokio_alloc_aligned(size_t alignment, size_t bytes);

/* `memory` with room for `bytes`, and the same content up to the smaller size. NULL, and `memory`
 * stays, when that is not possible. NULL for `memory` is zokio_alloc(bytes). */
void* zokio_realloc(void* memory, size_t bytes);

/* NULL is allowed. */
void zokio_free(void* memory);

/* The same for who knows the size, which saves a look-up. Requires: `memory` came from
 * zokio_alloc(bytes) with the same `bytes`. */
void zokio_free_sized(void* memory, size_t bytes);

/* The bytes that may be used: what was asked for, rounded up to its class. 0 for NULL. */
size_t zokio_usable_size(const void* memory);

/* Gives this thread a cache of its own until it ends: for threads that are no workers and allocate
 * much. 0 when the system has no memory for it. */
int zokio_attach_thread(void);

/* Gives what is free back to the system; the resident bytes that went. */
size_t zokio_trim(void);

#ifdef __cplusplus
}
#endif

#endif
