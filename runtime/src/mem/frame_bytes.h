// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much of the pool the frame at an address holds, for who did not allocate it.

#include "mem/span.h"

namespace zokio::mem {

// The bytes of its block; of a frame larger than any block, the largest block's.
// Requires: `frame` came from allocate_frame() and is in use.
inline std::size_t frame_bytes(void* frame) noexcept {
  // Slot 0 of a chunk is its header, so what starts where a chunk could start is a large object.
  if (chunk_of(frame) == frame) return kMaxBlock;
  return class_bytes(span_of(frame).cls);
}

}  // namespace zokio::mem
