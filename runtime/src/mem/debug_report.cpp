// SPDX-License-Identifier: Apache-2.0
// Messages: one line with what and which, then who. They allocate nothing.

#include "mem/debug_report.h"

#include <execinfo.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace zokio::mem::debug {
namespace {

constexpr std::size_t kLine = 256;

void describe(char (&text)[kLine], const Record& r) noexcept {
  std::snprintf(text, kLine, "block %p of %zu bytes in pool %s, allocation %" PRIu64,
                static_cast<void*>(r.user), r.bytes, pool_name(r.pool).data(), r.number);
}

void write_block_stacks(const Record& record) noexcept {
  write_stack(STDERR_FILENO, "allocated by", stack_of(record.allocated_by));
  if (record.freed) write_stack(STDERR_FILENO, "freed by", stack_of(record.freed_by));
}

}  // namespace

void write_text(int file, const char* text) noexcept {
  // Nothing can be done about a failing write here.
  [[maybe_unused]] const ssize_t written = ::write(file, text, std::strlen(text));
}

void write_stack(int file, const char* title, const Stack& stack) noexcept {
  char line[kLine];
  std::snprintf(line, sizeof line, " %s:%s\n", title, stack.depth == 0 ? " not known" : "");
  write_text(file, line);
  if (stack.depth != 0)
    ::backtrace_symbols_fd(stack.frames.data(), static_cast<int>(stack.depth), file);
}

void report_block(const char* what, const Record& record, const Stack& now) noexcept {
  char block[kLine];
  describe(block, record);
  char line[2 * kLine];
  std::snprintf(line, sizeof line, "zokio: memory: %s: %s\n", what, block);
  write_text(STDERR_FILENO, line);
  if (now.depth != 0) write_stack(STDERR_FILENO, "now", now);
  write_block_stacks(record);
  std::abort();
}

void report_damage(const char* what, std::size_t bytes, std::ptrdiff_t offset, const Record& record,
                   const Stack& now) noexcept {
  char text[kLine];
  std::snprintf(text, sizeof text, "%s, %zu %s from offset %td", what, bytes,
                bytes == 1 ? "byte" : "bytes", offset);
  report_block(text, record, now);
}

void report_no_block(const char* what, const void* p, const Stack& now) noexcept {
  const Record around = record_around(p);
  if (around.user != nullptr) {
    char text[kLine];
    std::snprintf(text, sizeof text, "%s %p, which is %td bytes into it", what, p,
                  static_cast<const std::byte*>(p) - around.user);
    report_block(text, around, now);
  }
  char line[kLine];
  std::snprintf(line, sizeof line, "zokio: memory: %s %p, which is no block\n", what, p);
  write_text(STDERR_FILENO, line);
  write_stack(STDERR_FILENO, "now", now);
  std::abort();
}

}  // namespace zokio::mem::debug
