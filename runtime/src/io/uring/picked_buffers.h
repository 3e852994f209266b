// SPDX-License-Identifier: Apache-2.0
#pragma once

// The buffers of a ring that receives pick from: leased from the pool "buffers", handed on with
// what came, and replaced. A receive that finds none waits for readiness and leases its own.
// Thread: the reactor's owner.

#include <cstdint>
#include <memory>
#include <vector>

#include "os/buffer_ring.h"
#include "zokio/mem/buffer.h"

namespace zokio::io {

// As many of `wanted` as the pool may lock up in a ring: a quarter of its limit. 0: too few to be
// of use. What it holds is held for good, and others want buffers, too.
unsigned affordable_buffers(unsigned wanted) noexcept;

class PickedBuffers {
 public:
  static constexpr unsigned kBuffers = 256;  // by default
  static constexpr unsigned kMostBuffers = 32768;
  static constexpr std::size_t kBytes = 4096;

  // `count` a power of two. Errors: by errno where the kernel has no such rings; those of lease().
  static Result<std::unique_ptr<PickedBuffers>> open(os::Ring& ring, uint16_t group,
                                                     unsigned count);

  // The buffer that the kernel picked; another takes its place, now or, without memory, later.
  mem::Buffer take(uint16_t id) noexcept;
  // The same without replacement: of a set that is no longer used.
  mem::Buffer take_last(uint16_t id) noexcept { return std::exchange(buffers_[id], {}); }

  // Tries again to lease what is missing.
  void refill() noexcept;

  uint16_t group() const noexcept { return group_; }
  unsigned count() const noexcept { return static_cast<unsigned>(buffers_.size()); }
  // Those that could not be leased, so that the kernel has fewer.
  unsigned missing() const noexcept { return static_cast<unsigned>(missing_.size()); }

 private:
  PickedBuffers(std::unique_ptr<os::BufferRing> ring, uint16_t group, unsigned count)
      : ring_(std::move(ring)), group_(group), buffers_(count) {
    missing_.reserve(count);
  }
  Result<void> provide(uint16_t id) noexcept;

  std::unique_ptr<os::BufferRing> ring_;
  const uint16_t group_;
  std::vector<mem::Buffer> buffers_;  // by id
  std::vector<uint16_t> missing_;
};

}  // namespace zokio::io
