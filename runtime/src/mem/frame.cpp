// SPDX-License-Identifier: Apache-2.0
// Coroutine frames: a cap never stops a program in the middle of a step, it is counted.

#include "zokio/mem/frame.h"

#include "mem/block.h"
#include "zokio/base/assert.h"

namespace zokio::mem {

void* allocate_frame_slow(std::size_t bytes) noexcept {
  Refusal why = Refusal::None;
  void* frame = take_block(PoolId::Frames, bytes, /*may_exceed=*/true, why);
  ZOKIO_CHECK(frame != nullptr, "the system has no memory for a coroutine frame");
  return frame;
}

void free_frame_slow(void* frame, std::size_t bytes) noexcept {
  if (frame != nullptr) give_block(PoolId::Frames, frame, bytes);
}

}  // namespace zokio::mem
