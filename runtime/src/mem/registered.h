// SPDX-License-Identifier: Apache-2.0
#pragma once

// Blocks of the slab that rings register, for buffer.cpp.

#include <cstddef>

namespace zokio::mem {

// Null: no free block, or too large. Never above kRegisteredBlock.
std::byte* take_registered(std::size_t bytes) noexcept;
void give_registered(std::byte* p) noexcept;

}  // namespace zokio::mem
