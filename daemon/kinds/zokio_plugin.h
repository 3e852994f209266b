/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZOKIO_PLUGIN_H
#define ZOKIO_PLUGIN_H

/* A kind of job in a shared library. The library exports one function, zokio_plugin_entry, which
 * returns a description that lives as long as the library; zokiod never unloads it.
 *
 * Both structures begin with their size: fields are only ever added at the end, and whoever reads
 * one looks at its size before it looks at a field that came later. A change that is not such an
 * addition raises ZOKIO_PLUGIN_ABI, and a host refuses another number than its own.
 *
 * run() is called on a thread that may block, from several threads at a time when several jobs run.
 * No exception and no longjmp may leave it. The library runs inside the daemon, with all its
 * rights: that is why only the configuration can name one, by path and by SHA-256. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ZOKIO_PLUGIN_ABI 1u

typedef struct zokio_argument {
  const char* name;
  const char* value;
} zokio_argument;

/* The job, while it runs. Valid until run() returns; the functions may be called from any thread
 * until then, with `context` as their first argument. Texts are copied. */
typedef struct zokio_host {
  uint32_t size; /* of this structure, in bytes */
  uint32_t abi;  /* ZOKIO_PLUGIN_ABI of the host */
  void* context;
  const char* job_id;
  uint32_t attempt; /* from 1 */
  uint32_t argument_count;
  const zokio_argument* arguments; /* sorted by name */
  /* Not 0: the job was told to stop; undo what must not stay and return soon. */
  int (*cancelled)(void* context);
  void (*progress)(void* context, uint64_t done, uint64_t total); /* total 0: unknown */
  void (*note)(void* context, const char* text);                  /* one line of where it stands */
  void (*log)(void* context, const char* text, size_t size);
  void (*result)(void* context, const char* text, size_t size); /* at most 64 KiB are kept */
  /* Why run() will return not 0: UPPER_SNAKE for programs, and words for people. */
  void (*fail)(void* context, const char* reason, const char* message);
} zokio_host;

typedef struct zokio_plugin {
  uint32_t size; /* of this structure, in bytes */
  uint32_t abi;  /* ZOKIO_PLUGIN_ABI that it was built for */
  const char* name;
  const char* version;
  /* 0: the job succeeded. */
  int (*run)(const zokio_host* host);
} zokio_plugin;

/* The one symbol of a plugin:
 *   ZOKIO_PLUGIN_EXPORT const zokio_plugin* zokio_plugin_entry(void) { return &description; } */
#define ZOKIO_PLUGIN_EXPORT __attribute__((visibility("default")))
ZOKIO_PLUGIN_EXPORT const zokio_plugin* zokio_plugin_entry(void);

#ifdef __cplusplus
}
#endif

#endif
