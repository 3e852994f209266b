// SPDX-License-Identifier: Apache-2.0
#include <execinfo.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "zokio/base/assert.h"

namespace zokio::internal {

void panic(const char* file, int line, const char* condition, const char* message) noexcept {
  char text[512];
  int length = std::snprintf(text, sizeof text, "zokio: fatal: %s (%s) at %s:%d\n", message,
                             condition, file, line);
  if (length > static_cast<int>(sizeof text)) length = sizeof text;
  // Nothing can be done about a failing write here.
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, text, static_cast<size_t>(length));
  void* frames[64];
  const int depth = backtrace(frames, 64);
  backtrace_symbols_fd(frames, depth, STDERR_FILENO);
  std::abort();
}

}  // namespace zokio::internal
