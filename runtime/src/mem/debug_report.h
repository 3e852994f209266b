// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the mode Debug says before it ends the process. Thread: any, without its lock.

#include <cstddef>

#include "mem/debug_heap.h"

namespace zokio::mem::debug {

// `bytes` damaged ones, the first at `offset` from the begin of what the program has.
[[noreturn, gnu::cold]] void report_damage(const char* what, std::size_t bytes,
                                           std::ptrdiff_t offset, const Record& record,
                                           const Stack& now) noexcept;
// `what` is the whole reason.
[[noreturn, gnu::cold]] void report_block(const char* what, const Record& record,
                                          const Stack& now) noexcept;
[[noreturn, gnu::cold]] void report_no_block(const char* what, const void* p,
                                             const Stack& now) noexcept;

void write_text(int file, const char* text) noexcept;
void write_stack(int file, const char* title, const Stack& stack) noexcept;

}  // namespace zokio::mem::debug
