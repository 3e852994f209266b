/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin in C: the sum of the numbers below the argument "count". */
#include "kinds/zokio_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kStride = 1000 };

static int run(const zokio_host* host) {
  unsigned long long count = 0, sum = 0, i;
  uint32_t a;
  char text[32];
  for (a = 0; a < host->argument_count; ++a)
    if (strcmp(host->arguments[a].name, "count") == 0)
      count = strtoull(host->arguments[a].value, NULL, 10);
  if (count == 0) {
    host->fail(host->context, "BAD_ARGUMENT", "count: want a number above 0");
    return 1;
  }
  for (i = 0; i < count; ++i) {
    sum += i;
    if (i % kStride != kStride - 1) continue;
    host->progress(host->context, i + 1, count);
    if (host->cancelled(host->context)) return 1;
  }
  snprintf(text, sizeof text, "%llu", sum);
  host->log(host->context, "done\n", 5);
  host->result(host->context, text, strlen(text));
  return 0;
}

static const zokio_plugin kDescription = {sizeof(zokio_plugin), ZOKIO_PLUGIN_ABI, "sum", "1.0",
                                          run};

ZOKIO_PLUGIN_EXPORT const zokio_plugin* zokio_plugin_entry(void) {
  return &kDescription;
}
