// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace zokio {

// Two writers closer than this slow each other down. 64 on x86-64 and on most aarch64.
inline constexpr std::size_t kCacheLine = 64;

// Fetches a line that another core wrote last and this one writes next: once, as its owner. The
// compiler's builtin fetches a copy on x86-64 unless told about the processor, and the write goes
// to the other core again. Any address is allowed.
inline void prefetch_for_write(const void* address) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

}  // namespace zokio
