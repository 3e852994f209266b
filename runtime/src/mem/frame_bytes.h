// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much of the pool the frame at an address holds, for who did not allocate it.

#include "mem/debug_heap.h"
#include "mem/large.h"
#include "mem/span.h"
#include "zokio/mem/mode.h"

namespace zokio::mem {

// The bytes of its block, or of its mapping.
// Requires: `frame` came from allocate_frame() and is in use.
inline std::size_t frame_bytes(void* frame) noexcept {
  if constexpr (kMode == Mode::Debug) return debug::held_bytes(frame);
  if (offset_in_chunk(frame) == 0) return large_head(frame).bytes;
  return class_bytes(span_of(frame).cls);
}

}  // namespace zokio::mem
