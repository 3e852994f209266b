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

class PickedBuffers {
 public:
  static constexpr unsigned kBuffers = 256;
  static constexpr std::size_t kBytes = 4096;

  // Errors: by errno where the kernel has no such rings; those of lease().
  static Result<std::unique_ptr<PickedBuffers>> open(os::Ring& ring);

  // The buffer that the kernel picked; another takes its place, now or, without memory, later.
  mem::Buffer take(uint16_t id) noexcept;

 private:
  explicit PickedBuffers(std::unique_ptr<os::BufferRing> ring) noexcept : ring_(std::move(ring)) {}
  Result<void> provide(uint16_t id) noexcept;

  std::unique_ptr<os::BufferRing> ring_;
  std::vector<mem::Buffer> buffers_{kBuffers};  // by id
  std::vector<uint16_t> missing_;
};

}  // namespace zokio::io
