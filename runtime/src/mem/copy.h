// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace zokio::mem {

// A copy that copied_bytes() counts (shared_buffer.cpp). Requires: bytes > 0, or valid pointers.
void copy_counted(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

}  // namespace zokio::mem
