// SPDX-License-Identifier: Apache-2.0
#include "io/uring/picked_buffers.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "zokio/mem/pools.h"

namespace zokio::io {

unsigned affordable_buffers(unsigned wanted) noexcept {
  const uint64_t limit = mem::snapshot(mem::PoolId::Buffers).limit_bytes;
  if (limit == 0) return wanted;
  const uint64_t fit = std::bit_floor(limit / 4 / PickedBuffers::kBytes);
  return fit < 2 ? 0 : static_cast<unsigned>(std::min<uint64_t>(fit, wanted));
}

Result<std::unique_ptr<PickedBuffers>> PickedBuffers::open(os::Ring& ring, uint16_t group,
                                                           unsigned count) {
  ZOKIO_TRY(auto buffers, os::BufferRing::open(ring, group, count));
  std::unique_ptr<PickedBuffers> picked(new PickedBuffers(std::move(buffers), group, count));
  for (unsigned id = 0; id < count; ++id) {
    if (!picked->provide(static_cast<uint16_t>(id)))
      picked->missing_.push_back(static_cast<uint16_t>(id));
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
  refill();
  return picked;
}

void PickedBuffers::refill() noexcept {
  while (!missing_.empty() && provide(missing_.back())) missing_.pop_back();
}

}  // namespace zokio::io
