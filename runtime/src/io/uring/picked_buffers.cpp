// SPDX-License-Identifier: Apache-2.0
#include "io/uring/picked_buffers.h"

#include <utility>

#include "io/op.h"

namespace zokio::io {

Result<std::unique_ptr<PickedBuffers>> PickedBuffers::open(os::Ring& ring) {
  ZOKIO_TRY(auto buffers, os::BufferRing::open(ring, kPickedGroup, kBuffers));
  std::unique_ptr<PickedBuffers> picked(new PickedBuffers(std::move(buffers)));
  picked->missing_.reserve(kBuffers);
  for (uint16_t id = 0; id < kBuffers; ++id) {
    if (!picked->provide(id)) picked->missing_.push_back(id);
  }
  return picked;
}

Result<void> PickedBuffers::provide(uint16_t id) noexcept {
  ZOKIO_TRY(buffers_[id], mem::lease(kBytes));
  ring_->add(buffers_[id].data(), kBytes, id);
  return {};
}

mem::Buffer PickedBuffers::take(uint16_t id) noexcept {
  mem::Buffer picked = std::exchange(buffers_[id], {});
  missing_.push_back(id);
  while (!missing_.empty() && provide(missing_.back())) missing_.pop_back();
  return picked;
}

}  // namespace zokio::io
