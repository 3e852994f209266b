// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace zokio {

// Two writers closer than this slow each other down. 64 on x86-64 and on most aarch64.
inline constexpr std::size_t kCacheLine = 64;

}  // namespace zokio
